// The JSON API as functions: CSRF, problem+json, and tries that wait their turn.

import { retryDelay, sleep } from "./backoff.js";

const TRIES = 3;

// What each class of error means, in the words a person reads.
const SENTENCES = {
  rate_limit: "The server asked to slow down.",
  network: "The connection was lost.",
  server: "The server had a problem.",
  invalid: "This was refused.",
  unknown: "Something unexpected happened.",
};
// What happens next once nothing is tried again by itself.
const NEXT = {
  rate_limit: "Try again in a minute.",
  network: "Try again when the connection is back.",
  server: "Try again in a few minutes.",
  invalid: "It is not tried again.",
  unknown: "Try again, or reload the page.",
};

// Says what happens next: the wait before another try, or what a person can do.
export function nextStep(kind, waitMs = null) {
  if (waitMs === null) return NEXT[kind];
  return `Trying again in ${Math.max(1, Math.ceil(waitMs / 1000))} s.`;
}

export function kindOfStatus(status) {
  if (status === 0) return "network";
  if (status === 429) return "rate_limit";
  if (status >= 500) return "server";
  if (status >= 400) return "invalid";
  return "unknown";
}

export class ApiError extends Error {
  constructor({ status, code = "unknown", detail = "", errors = [], retryAfterMs = null }) {
    super(detail || SENTENCES[kindOfStatus(status)]);
    this.name = "ApiError";
    this.status = status;
    this.kind = kindOfStatus(status);
    this.code = code;
    this.errors = errors;
    this.retryAfterMs = retryAfterMs;
  }

  get canRetry() {
    return this.kind === "rate_limit" || this.kind === "network" || this.kind === "server";
  }
}

// Retry-After is seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
export function parseRetryAfter(value, now = Date.now()) {
  if (!value) return null;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

async function toError(response) {
  const type = response.headers.get("content-type") ?? "";
  const problem = type.includes("json") ? await response.json().catch(() => ({})) : {};
  return new ApiError({
    status: response.status,
    code: problem.code,
    detail: problem.detail ?? problem.title,
    errors: problem.errors,
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after")),
  });
}

export function readCsrfToken(cookies) {
  const found = /(?:^|;\s*)csrftoken=([^;]+)/.exec(cookies);
  return found ? decodeURIComponent(found[1]) : "";
}

async function once(method, url, body, { fetch, csrfToken, signal }) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(url, {
      method, headers, body: payload, signal, credentials: "same-origin",
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError({ status: 0, code: "network" });
  }
  if (!response.ok) throw await toError(response);
  return response.status === 204 ? null : read(response, signal);
}

// What is no JSON comes from somebody between; a body cut short is a lost connection.
async function read(response, signal) {
  try {
    return await response.json();
  } catch (cause) {
    if (signal?.aborted) throw cause;
    if (cause instanceof SyntaxError) throw new ApiError({ status: response.status });
    throw new ApiError({ status: 0, code: "network" });
  }
}

export class Api {
  constructor({
    base = "/api/v1",
    fetch = globalThis.fetch.bind(globalThis),
    csrfToken = () => readCsrfToken(document.cookie),
    wait = sleep,
    tries = TRIES,
  } = {}) {
    Object.assign(this, { base, fetch, csrfToken, wait, tries });
  }

  // Every call here may be repeated: the server answers a repeat with what is.
  async request(method, path, { body, signal, tries = this.tries } = {}) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await once(method, this.base + path, body, { ...this, signal });
      } catch (error) {
        const last = attempt + 1 >= tries;
        if (!(error instanceof ApiError) || !error.canRetry || last) throw error;
        await this.wait(retryDelay(error, attempt), signal);
      }
    }
  }

  createBatch(name, expectedDocuments) {
    return this.request("POST", "/batches", {
      body: { name, expected_documents: expectedDocuments },
    });
  }

  preflight(batch, documents, options) {
    return this.#post(`/batches/${batch}/preflight`, { documents }, options);
  }

  // Registers documents; with `sign` each one that awaits its bytes gets URLs for them.
  register(batch, documents, { sign = true, ...options } = {}) {
    return this.#post(`/batches/${batch}/uploads`, { documents, sign }, options);
  }

  complete(batch, ids, options) {
    const documents = ids.map((id) => ({ id }));
    return this.#post(`/batches/${batch}/complete`, { documents }, options);
  }

  cancel(batch, options) {
    return this.request("POST", `/batches/${batch}/cancel`, options);
  }

  cancelDocuments(batch, ids, options) {
    return this.#post(`/batches/${batch}/cancel`, { documents: ids }, options);
  }

  retryDocuments(batch, ids, options) {
    return this.#post(`/batches/${batch}/retry`, { documents: ids }, options);
  }

  events(batch, since) {
    return this.request("GET", `/batches/${batch}/events?since=${since}`);
  }

  documents(batch, status) {
    return this.request("GET", `/documents?batch=${batch}&status=${status}&limit=500`);
  }

  // Any answer at all says that the server can be reached.
  async isReachable(batch) {
    try {
      await this.request("GET", `/batches/${batch}`, { tries: 1 });
    } catch (error) {
      return !(error instanceof ApiError && error.kind === "network");
    }
    return true;
  }

  #post(path, body, options) {
    return this.request("POST", path, { ...options, body });
  }
}
