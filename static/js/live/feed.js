// One batch, live: a socket when there can be one, polling when not, nothing missed either way.

import { fullJitter } from "../backoff.js";
import { Cursor } from "./cursor.js";

const POLL_MS = 2000;
const ASK_AGAIN_MS = 500;
const FAILURES_BEFORE_POLLING = 2;

export class Feed extends EventTarget {
  #cursor;
  #socket = null;
  #failures = 0;
  #askedAt = -Infinity;
  #pollTimer = null;
  #retryTimer = null;
  #closed = false;

  constructor(batch, { since = 0, api, url, WebSocket = globalThis.WebSocket, now = Date.now }) {
    super();
    this.#cursor = new Cursor(since);
    Object.assign(this, { batch, api, url, WebSocket, now });
  }

  get isOpen() {
    return this.#socket?.readyState === this.WebSocket.OPEN;
  }

  start() {
    this.#connect();
    globalThis.addEventListener?.("online", () => this.#reconnectNow());
    globalThis.addEventListener?.("offline", () => this.#announce("offline"));
  }

  stop() {
    this.#closed = true;
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
  }

  #connect() {
    if (this.#closed) return;
    const socket = new this.WebSocket(this.url);
    this.#socket = socket;
    socket.addEventListener("message", (message) => {
      this.#failures = 0;
      this.#stopPolling();
      this.#announce("live");
      this.#take(JSON.parse(message.data));
    });
    socket.addEventListener("close", () => this.#lost(socket));
  }

  #take(frame) {
    const result = this.#cursor.accept(frame);
    if (result.gap) this.#ask();
    else this.dispatchEvent(new CustomEvent("change", { detail: result }));
  }

  // Ask for what was missed. A lost answer is asked for again at the next gap.
  #ask() {
    if (this.now() - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = this.now();
    if (this.isOpen) this.#socket.send(JSON.stringify({ since: this.#cursor.at }));
    else this.#fetch();
  }

  async #fetch() {
    try {
      const frame = await this.api.events(this.batch, this.#cursor.at);
      if (this.#pollTimer !== null) this.#announce("polling");
      const result = this.#cursor.accept(frame);
      if (!result.gap) this.dispatchEvent(new CustomEvent("change", { detail: result }));
    } catch {
      this.#announce("offline");
    }
  }

  #lost(socket) {
    if (this.#closed || socket !== this.#socket) return;
    this.#failures += 1;
    if (this.#failures >= FAILURES_BEFORE_POLLING && this.#pollTimer === null) this.#poll();
    const delay = 250 + fullJitter(Math.min(this.#failures, 5), { baseMs: 500, capMs: 15000 });
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
  }

  #poll() {
    this.#pollTimer = setTimeout(() => this.#poll(), POLL_MS);
    this.#fetch();
  }

  #stopPolling() {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = null;
  }

  #reconnectNow() {
    clearTimeout(this.#retryTimer);
    if (!this.isOpen) this.#connect();
  }

  #announce(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

export function socketUrl(batch, location = globalThis.location) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/ws/batches/${batch}/`;
}
