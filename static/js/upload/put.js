// One PUT to a signed URL. XMLHttpRequest, because fetch cannot tell how much has gone.

import { ApiError, parseRetryAfter } from "../api.js";

const STALL_MS = 60000;
// The browser sets these itself and refuses to be told.
const BROWSER_HEADERS = new Set(["content-length", "host", "connection"]);

export function put({ method = "PUT", url, headers = {} }, blob, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
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
  const { code, detail } = readProblem(xhr.responseText);
  return new ApiError({
    status: xhr.status,
    code,
    detail,
    retryAfterMs: parseRetryAfter(xhr.getResponseHeader("Retry-After")),
  });
}

// Object stores answer in XML, and of theirs only the code is worth anything to a person.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
export function readProblem(text) {
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
  if (code) return { code };
  try {
    const { code: ours, detail } = JSON.parse(text);
    return { code: ours, detail };
  } catch {
    // Somebody between answered: the status says enough.
    return {};
  }
}
