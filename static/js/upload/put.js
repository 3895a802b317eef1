// One PUT to a signed URL. XMLHttpRequest, because fetch cannot tell how much has gone.

import { ApiError, parseRetryAfter } from "../api.js";

const STALL_MS = 60000;
// The browser sets these itself and refuses to be told.
const BROWSER_HEADERS = new Set(["content-length", "host", "connection"]);

export function put({ method = "PUT", url, headers = {} }, blob, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const stop = () => xhr.abort();
    let stalled = setTimeout(stop, STALL_MS);
    const settle = (done, value) => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", stop);
      done(value);
    };
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (!BROWSER_HEADERS.has(name.toLowerCase())) xhr.setRequestHeader(name, value);
    }
    xhr.upload.addEventListener("progress", ({ loaded }) => {
      clearTimeout(stalled);
      stalled = setTimeout(stop, STALL_MS);
      onProgress(loaded);
    });
    xhr.addEventListener("load", () => {
      if (xhr.status >= 200 && xhr.status < 300) settle(resolve);
      else settle(reject, toError(xhr));
    });
    xhr.addEventListener("error", () => settle(reject, new ApiError({ status: 0 })));
    xhr.addEventListener("abort", () => {
      settle(reject, signal.aborted ? signal.reason : new ApiError({ status: 0 }));
    });
    signal.addEventListener("abort", stop, { once: true });
    xhr.send(blob);
  });
}

function toError(xhr) {
  let problem = {};
  try {
    problem = JSON.parse(xhr.responseText);
  } catch {
    // Object stores answer in XML; the status says enough.
  }
  return new ApiError({
    status: xhr.status,
    code: problem.code,
    detail: problem.detail,
    retryAfterMs: parseRetryAfter(xhr.getResponseHeader("Retry-After")),
  });
}
