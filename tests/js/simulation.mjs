// A server, a store and a line at the edge of the engine, and a clock that goes by itself.

import { ApiError } from "../../static/js/api.js";
import { Engine, makeItem } from "../../static/js/upload/engine.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

// Time passes only when nobody has anything left to do.
export class Clock {
  at = Date.parse("2024-05-01T12:00:00Z");
  #timers = [];
  now = () => this.at;

  wait = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        reject(signal.reason);
      };
      const timer = {
        at: this.at + Math.max(0, ms),
        ring: () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        },
      };
      this.#timers.push(timer);
      signal?.addEventListener("abort", stop);
    });

  // Lets time pass until `promise` settles, or until `isEnough()`.
  async run(promise, isEnough = () => false) {
    let isDone = false;
    const done = Promise.resolve(promise).finally(() => (isDone = true));
    done.catch(() => {});
    while (!isDone && !isEnough()) {
      await settled();
      if (isDone || isEnough()) break;
      if (this.#timers.length === 0) {
        for (let n = 0; n < 50 && !isDone; n += 1) await settled();
        if (isDone || this.#timers.length > 0) continue;
        throw new Error("Nothing moves any more.");
      }
      this.#next();
    }
    return isDone ? done : undefined;
  }

  async pass(ms) {
    const end = this.at + ms;
    for (;;) {
      for (let n = 0; n < 5; n += 1) await settled();
      if (!this.#timers.some(({ at }) => at <= end)) break;
      this.#next();
    }
    this.at = end;
  }

  // One timer, or all of the same moment.
  #next() {
    const at = this.#timers.reduce((least, timer) => Math.min(least, timer.at), Infinity);
    this.at = Math.max(this.at, at);
    const due = this.#timers.filter((timer) => timer.at <= at);
    this.#timers = this.#timers.filter((timer) => timer.at > at);
    for (const { ring } of due) ring();
  }
}

// The server of the contract: keeps what it was told, and outlives the pages that talk to it.
export class FakeServer {
  documents = new Map();
  objects = new Map();
  stored = new Map();
  calls = [];
  refusals = new Map();
  // Thrown, one for each call, before the call is looked at.
  troubles = [];
  latencyMs = 20;
  lifeMs = 300_000;
  multipartBytes = Infinity;
  partSize = 16;
  partsAtOnce = 100;
  urls = 0;
  // What was signed and neither used nor run out, and the most of it at any time.
  unused = new Map();
  mostUnused = 0;

  constructor(clock = new Clock()) {
    this.clock = clock;
  }

  count(kind) {
    return this.calls.filter((call) => call.kind === kind).length;
  }

  async #begin(kind, size, { signal } = {}) {
    this.calls.push({ kind, size, at: this.clock.at });
    if (size > 500) throw new Error(`A window of ${size}.`);
    await this.clock.wait(this.latencyMs, signal);
    const trouble = this.troubles.shift();
    if (trouble) throw trouble;
  }

  async register(_batch, declarations, { sign = true, ...options } = {}) {
    await this.#begin(sign ? "sign" : "list", declarations.length, options);
    const documents = [];
    const errors = [];
    for (const said of declarations) {
      const refusal = this.refusals.get(said.path) ?? this.#differs(said);
      if (refusal) errors.push({ client_key: said.client_key, ...refusal });
      else documents.push(this.#register(said, sign));
    }
    if (documents.length === 0) throw new ApiError({ status: 409, detail: "None.", errors });
    return { documents, errors };
  }

  #differs({ client_key, path, size, sha256, content_type }) {
    const known = this.documents.get(client_key);
    if (!known) return null;
    const isSame = known.path === path && known.size === size
      && (!sha256 || !known.sha256 || known.sha256 === sha256)
      && (content_type === undefined || known.content_type === content_type);
    return isSame ? null : { code: "declaration_changed", detail: "Other bytes." };
  }

  #register({ client_key, path, size, sha256, content_type = "" }, sign) {
    const known = this.documents.get(client_key) ?? {
      id: `id:${client_key}`, client_key, path, size, content_type, sha256: null, status: "awaiting",
    };
    this.documents.set(client_key, known);
    if (known.status === "expired") known.status = "awaiting";
    if (sha256) known.sha256 = sha256;
    if (known.status === "awaiting" && this.stored.has(known.sha256)) known.status = "duplicate";
    const upload = sign && known.status === "awaiting" ? this.#sign(known) : null;
    return { client_key, id: known.id, status: known.status, upload };
  }

  #sign(document) {
    const expires_at = new Date(this.clock.at + this.lifeMs).toISOString();
    if (document.size <= this.multipartBytes) {
      return { method: "PUT", url: this.#url({ document }), headers: {}, expires_at };
    }
    const held = this.objects.get(document.id) ?? new Map();
    this.objects.set(document.id, held);
    const count = Math.ceil(document.size / this.partSize);
    const missing = Array.from({ length: count }, (_, n) => n + 1).filter((n) => !held.has(n));
    const parts = missing.slice(0, this.partsAtOnce)
      .map((number) => ({ number, url: this.#url({ document, number }), headers: {} }));
    return { multipart: { part_size: this.partSize, parts, done: [...held.keys()], expires_at } };
  }

  #url(grant) {
    const url = `https://store.test/${(this.urls += 1)}`;
    this.unused.set(url, { ...grant, expiresAt: this.clock.at + this.lifeMs });
    if (grant.number === undefined) this.mostUnused = Math.max(this.mostUnused, this.unused.size);
    return url;
  }

  grantOf(url) {
    return this.unused.get(url);
  }

  // What the store does with a PUT: keeps the bytes, or says why not.
  store(url, blob) {
    const grant = this.unused.get(url);
    if (!grant || grant.expiresAt < this.clock.at) throw new ApiError({ status: 403 });
    this.unused.delete(url);
    const { document, number } = grant;
    if (number === undefined) {
      if (this.objects.has(document.id)) throw new ApiError({ status: 412 });
      this.objects.set(document.id, blob.size);
    } else this.objects.get(document.id).set(number, blob.size);
  }

  #isThere({ id, size }) {
    const object = this.objects.get(id);
    if (object === undefined) return false;
    if (typeof object === "number") return object === size;
    return [...object.values()].reduce((sum, bytes) => sum + bytes, 0) === size;
  }

  async complete(_batch, ids, options) {
    await this.#begin("complete", ids.length, options);
    const documents = [];
    const errors = [];
    const byId = new Map([...this.documents.values()].map((document) => [document.id, document]));
    for (const id of ids) {
      const document = byId.get(id);
      if (document.status === "awaiting" && !this.#isThere(document)) {
        errors.push({ id, code: "object_missing", detail: "The bytes have not arrived." });
        continue;
      }
      if (document.status === "awaiting") document.status = "uploaded";
      if (document.sha256) this.stored.set(document.sha256, id);
      documents.push({ id, status: document.status });
    }
    if (documents.length === 0) throw new ApiError({ status: 409, detail: "None.", errors });
    return { documents, errors };
  }

  async cancel(_batch, options) {
    await this.#begin("cancel", 0, options);
  }

  async cancelDocuments(_batch, ids, options) {
    await this.#begin("cancelDocuments", ids.length, options);
    for (const document of this.documents.values()) {
      if (ids.includes(document.id)) document.status = "cancelled";
    }
  }

  async retryDocuments(_batch, ids, options) {
    await this.#begin("retryDocuments", ids.length, options);
    this.retried = [...(this.retried ?? []), ...ids];
  }
}

// A line to the store with a delay for each PUT and so many bytes a second for all together.
export class Line {
  puts = [];
  active = 0;
  most = 0;
  // Given {item path, number, attempt}, may throw or wait instead of the PUT.
  before = async () => {};

  constructor(server, { latencyMs = 30, bytesPerSecond = 10_000_000 } = {}) {
    Object.assign(this, { server, latencyMs, bytesPerSecond });
  }

  put = async ({ url }, blob, { onProgress, signal }) => {
    const grant = this.server.grantOf(url);
    const put = { url, path: grant?.document.path, number: grant?.number, at: this.server.clock.at };
    this.puts.push(put);
    this.active += 1;
    this.most = Math.max(this.most, this.active);
    try {
      await this.before(put, signal);
      const ms = this.latencyMs + (1000 * blob.size * this.active) / this.bytesPerSecond;
      await this.server.clock.wait(ms / 2, signal);
      onProgress(Math.floor(blob.size / 2));
      await this.server.clock.wait(ms / 2, signal);
      onProgress(blob.size);
      this.server.store(url, blob);
    } finally {
      this.active -= 1;
    }
  };

  ofPath(path) {
    return this.puts.filter((put) => put.path === path);
  }
}

// A blob whose bytes are its name: equal names are equal bytes.
export function fakeBlob(size, { bytes = null, type = "text/plain" } = {}) {
  return { size, type, bytes, slice: (start, end) => fakeBlob(end - start, { bytes, type: "" }) };
}

export function hashOf(path, blob) {
  const name = blob.bytes ?? `${path}:${blob.size}`;
  let number = 7;
  for (const character of name) number = (number * 31 + character.codePointAt(0)) % 2 ** 48;
  return number.toString(16).padStart(64, "0");
}

// An engine over `documents` ({path: size} or {path: blob}), with every edge of it at hand.
export function makeRun(documents, { server = new FakeServer(), line, hashMs = 1, ...options } = {}) {
  const { clock } = server;
  const items = Object.entries(documents).map(([path, given]) =>
    makeItem({ path, blob: typeof given === "number" ? fakeBlob(given) : given }));
  const names = new Map(items.map((item) => [item.blob, item.path]));
  const wire = line ?? new Line(server);
  const hashed = [];
  const engine = new Engine({
    batch: "b", items, api: server, now: clock.now, wait: clock.wait, put: wire.put,
    hashesAtOnce: 4, readable: async () => true, page: {},
    hash: async (blob) => {
      hashed.push(names.get(blob));
      await clock.wait(hashMs);
      return hashOf(names.get(blob), blob);
    },
    ...options,
  });
  return { engine, items, server, clock, line: wire, hashed };
}

export function manyDocuments(count, size = (n) => 1000 + n) {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`d${n % 20}/${n}.txt`, size(n)]));
}

export const statesOf = (items) => items.map(({ state }) => state);
