// Sends what is registered: several at once, each with its tries, a fresh URL when one went stale.

import { ApiError } from "../api.js";
import { retryDelay, sleep } from "../backoff.js";
import { Width } from "./width.js";

const TRIES = 5;
const RENEW_WINDOW = 100;
// A URL about to expire is not worth starting with.
const MARGIN_MS = 20000;

export const HELD = new Error("held");

export class Sender {
  #queue = [];
  #active = new Map();
  #renewing = null;

  // `register(items)` gives each item a fresh `upload`, or settles it.
  constructor({ put, register, gate, onProgress, onSent, onFailed, width, now, wait }) {
    Object.assign(this, { put, register, gate, onProgress, onSent, onFailed });
    this.width = width ?? new Width();
    this.now = now ?? Date.now;
    this.wait = wait ?? sleep;
  }

  push(...items) {
    this.#queue.push(...items);
    this.pump();
  }

  pump() {
    while (this.gate.isOpen && this.#active.size < this.width.now && this.#queue.length > 0) {
      this.#start(this.#queue.shift());
    }
  }

  // Stops what is in flight and puts it first in line again.
  hold() {
    for (const controller of this.#active.values()) controller.abort(HELD);
  }

  stop() {
    this.#queue = [];
    this.hold();
  }

  async #start(item) {
    const controller = new AbortController();
    this.#active.set(item, controller);
    try {
      await this.#send(item, controller.signal);
      if (item.state === "sending") this.onSent(item);
    } catch (error) {
      if (error === HELD) this.#requeue(item);
      else this.onFailed(item, error);
    } finally {
      this.#active.delete(item);
      this.pump();
    }
  }

  #requeue(item) {
    if (item.state === "cancelled") return;
    item.state = "registered";
    this.onProgress(item, 0);
    this.#queue.unshift(item);
  }

  async #send(item, signal) {
    item.state = "sending";
    for (let attempt = 0; item.state === "sending"; attempt += 1) {
      if (this.#isStale(item)) await this.#renew(item);
      if (item.state !== "sending") return;
      try {
        await this.put(item.upload, item.blob, {
          signal,
          onProgress: (loaded) => this.onProgress(item, loaded),
        });
        this.width.succeeded();
        return;
      } catch (error) {
        if (await this.#isThere(item, error, attempt, signal)) return;
      }
    }
  }

  // Decides what a failed PUT means: true when the bytes are there after all, false to try again.
  async #isThere(item, error, attempt, signal) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 412) return true;
    const expired = error.status === 403;
    if (attempt + 1 >= TRIES || !(expired || error.canRetry)) throw error;
    this.onProgress(item, 0);
    if (expired) {
      item.upload.expires_at = null;
    } else {
      this.width.failed();
      await this.wait(retryDelay(error, attempt), signal);
    }
    return false;
  }

  #isStale({ upload }) {
    return !upload.expires_at || Date.parse(upload.expires_at) - this.now() < MARGIN_MS;
  }

  // One call for everybody in line whose URL is stale, however many ask at once.
  async #renew(item) {
    while (this.#renewing) await this.#renewing;
    if (!this.#isStale(item)) return;
    const stale = this.#queue.filter((other) => this.#isStale(other)).slice(0, RENEW_WINDOW - 1);
    const others = [...this.#active.keys()].filter(
      (other) => other !== item && other.state === "sending" && !other.upload.expires_at,
    );
    this.#renewing = this.register([item, ...others, ...stale]).finally(() => {
      this.#renewing = null;
    });
    await this.#renewing;
    this.#queue = this.#queue.filter((other) => other.state === "registered");
  }
}
