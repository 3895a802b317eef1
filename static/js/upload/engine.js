// Hash, register, send, complete: four loops over one list, so that none waits for another.
//
// Item: {path, blob, state, loaded, sha256?, id?, upload?, status?, error?}. Its `state` goes
// queued → checking → registered → sending → sent → there, or ends refused, failed, cancelled.

import { ApiError } from "../api.js";
import { retryDelay, sleep } from "../backoff.js";
import { Channel } from "./channel.js";
import { Gate } from "./gate.js";
import { isHeardOf } from "./item-status.js";
import { Sender } from "./sender.js";

const WINDOW = 500;
// Small, so that the first bytes move while the rest is still being hashed.
const FIRST_WINDOW = 24;
const REGISTER_EVERY_MS = 300;
const COMPLETE_EVERY_MS = 1000;
const HASHES_AT_ONCE = 2;
const ROUNDS = 6;
const FINAL = new Set(["there", "refused", "failed", "cancelled"]);

export function makeItem({ path, blob }) {
  return { path, blob, state: "queued", loaded: 0, error: null, status: null };
}

export class Engine {
  gate = new Gate();
  sentBytes = 0;
  #hashed = new Channel();
  #sent = new Channel();
  #settledCount = 0;
  #nextToHash = 0;
  #abort = new AbortController();

  constructor({ batch, items, api, hash, put, onChange = () => {}, now, wait = sleep, width }) {
    Object.assign(this, { batch, items, api, hash, onChange, wait });
    this.totalBytes = items.reduce((sum, item) => sum + item.blob.size, 0);
    this.sender = new Sender({
      put, now, wait, width,
      gate: this.gate,
      register: (items) => this.#register(items),
      onProgress: (item, loaded) => this.#progress(item, loaded),
      onSent: (item) => this.#arrived(item),
      onFailed: (item, error) => this.#settle(item, "failed", { error: error.message }),
    });
  }

  get isMoving() {
    return this.#settledCount < this.items.length;
  }

  // Resolves when every item has ended one way or the other.
  async run() {
    if (!this.isMoving) return;
    const hashing = Array.from({ length: HASHES_AT_ONCE }, () => this.#hashLoop());
    await Promise.all([
      Promise.all(hashing).then(() => this.#hashed.close()),
      this.#registerLoop(),
      this.#completeLoop(),
    ]);
  }

  hold(reason) {
    this.gate.hold(reason);
    this.sender.hold();
  }

  release(reason) {
    this.gate.release(reason);
    this.sender.pump();
  }

  async cancel() {
    this.#abort.abort(new Error("cancelled"));
    for (const item of this.items) this.#settle(item, "cancelled");
    this.sender.stop();
    this.gate.release("user");
    this.gate.release("offline");
    await this.api.cancel(this.batch);
  }

  async #hashLoop() {
    for (;;) {
      await this.gate.pass();
      const item = this.items[this.#nextToHash];
      this.#nextToHash += 1;
      if (!item || item.state !== "queued") return;
      this.#change(item, { state: "checking" });
      try {
        item.sha256 = await this.hash(item.blob);
        this.#hashed.push(item);
      } catch {
        const error = "The browser could not read it. Was it moved or changed?";
        this.#settle(item, "failed", { error });
      }
    }
  }

  async #registerLoop() {
    for (let most = FIRST_WINDOW; ; most = WINDOW) {
      const items = await this.#hashed.takeMany(most, REGISTER_EVERY_MS);
      if (items.length === 0) return;
      await this.gate.pass();
      await this.#register(items);
      this.sender.push(...items.filter((item) => item.state === "registered"));
    }
  }

  async #register(items) {
    const wanted = items.filter((item) => !FINAL.has(item.state));
    if (wanted.length === 0) return;
    const answer = await this.#ask(wanted, () =>
      this.api.register(this.batch, wanted.map(declare), this.#abort.signal),
    );
    const uploads = new Map(answer.documents.map((upload) => [upload.client_key, upload]));
    const errors = new Map((answer.errors ?? []).map((error) => [error.client_key, error]));
    for (const item of wanted) {
      const upload = uploads.get(item.path);
      if (upload) this.#registered(item, upload);
      else this.#settle(item, "refused", { error: sentence(errors.get(item.path)) });
    }
  }

  #registered(item, { id, status, upload }) {
    if (!upload) {
      this.#settle(item, "there", { id, status });
      return;
    }
    const state = item.state === "sending" ? "sending" : "registered";
    this.#change(item, { id, status, upload, state });
  }

  async #completeLoop() {
    for (;;) {
      const items = await this.#sent.takeMany(WINDOW, COMPLETE_EVERY_MS);
      if (items.length === 0) return;
      await this.#complete(items.filter((item) => item.state === "sent"));
    }
  }

  async #complete(items) {
    if (items.length === 0) return;
    const ids = items.map((item) => item.id);
    const answer = await this.#ask(items, () =>
      this.api.complete(this.batch, ids, this.#abort.signal),
    );
    const documents = new Map(answer.documents.map((document) => [document.id, document]));
    const errors = new Map((answer.errors ?? []).map((error) => [error.id, error]));
    for (const item of items) {
      const document = documents.get(item.id);
      if (document) this.#settle(item, "there", isHeardOf(item) ? {} : { status: document.status });
      else this.#missing(item, errors.get(item.id));
    }
  }

  // The server does not see the bytes: send them once more, then say so.
  #missing(item, error) {
    if (error?.code !== "object_missing" || item.sentAgain) {
      this.#settle(item, "failed", { error: sentence(error) });
      return;
    }
    item.sentAgain = true;
    this.#progress(item, 0);
    this.#change(item, { state: "registered" });
    this.sender.push(item);
  }

  // Patient calls: the server may be away for minutes, and every call may be repeated.
  async #ask(items, call) {
    for (let round = 0; ; round += 1) {
      try {
        return await call();
      } catch (error) {
        if (this.#abort.signal.aborted) return { documents: [] };
        if (error.errors?.length) return { documents: [], errors: error.errors };
        if (!(error instanceof ApiError && error.canRetry) || round >= ROUNDS) {
          for (const item of items) this.#settle(item, "failed", { error: error.message });
          return { documents: [] };
        }
        await this.wait(retryDelay(error, round + 2));
      }
    }
  }

  #progress(item, loaded) {
    const bytes = Math.min(loaded, item.blob.size);
    this.sentBytes += bytes - item.loaded;
    this.#change(item, { loaded: bytes });
  }

  #arrived(item) {
    this.#progress(item, item.blob.size);
    this.#change(item, { state: "sent" });
    this.#sent.push(item);
  }

  #settle(item, state, fields = {}) {
    if (FINAL.has(item.state)) return;
    const credit = state === "there" ? item.blob.size : 0;
    this.sentBytes += credit - item.loaded;
    this.#settledCount += 1;
    this.#change(item, { ...fields, loaded: credit, state });
    if (!this.isMoving) this.#sent.close();
  }

  #change(item, fields) {
    Object.assign(item, fields);
    this.onChange(item);
  }
}

// The browser guesses types from names; what it makes up freely the server would refuse.
function declare({ path, blob, sha256 }) {
  const content_type = /^[\w.+-]{1,90}\/[\w.+-]{1,90}$/.test(blob.type) ? blob.type : "";
  return { client_key: path, path, size: blob.size, sha256, content_type };
}

function sentence(error) {
  return error?.detail ?? error?.title ?? "The server did not say why.";
}
