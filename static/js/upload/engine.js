// Brings a drop to the server: what a page may ask of it, and what it may have it do.

import { sleep } from "../backoff.js";
import { Cancelling } from "./cancelling.js";
import { watchConnection } from "./connection.js";
import { Gate } from "./gate.js";
import { poolSize } from "./hasher.js";
import { isFinal, makeItem } from "./item.js";
import { Ledger } from "./ledger.js";
import { Lines } from "./lines.js";
import { Pace, rememberPace } from "./pace.js";
import { Patience } from "./patience.js";
import { ProtocolWatch } from "./protocol.js";
import { isReadable } from "./reading.js";
import { WINDOW } from "./registrar.js";
import { Width } from "./width.js";

export { makeItem };

// A document that is there in one of these still has work ahead that can be called off.
const UNDER_WAY = new Set([null, "uploaded", "processing"]);

export class Engine {
  #abort = new AbortController();
  #running = null;
  #pace = new Pace();
  #lines;
  #cancelling;

  // `hash(blob)`, `put(upload, blob, {onProgress, signal})` and `api` are the edges; the rest is
  // for tests. `onChange(items)` gets the set of changed items, at most once a frame.
  constructor({
    batch, items, api, hash, put, onChange, frame, now = Date.now, wait = sleep,
    width = new Width(), hashesAtOnce = poolSize(), readable = isReadable, page = globalThis,
  }) {
    Object.assign(this, { batch, items, api, now, wait, page });
    this.gate = new Gate({ now, wait, onRelease: () => this.#lines.pump() });
    this.ledger = new Ledger(items, { onChange, frame });
    this.patience = new Patience({ gate: this.gate, now, wait, signal: () => this.#abort.signal });
    this.protocol = new ProtocolWatch({ onMost: (most) => width.limit(most), page: page.location });
    const { gate, ledger, patience } = this;
    this.#cancelling = new Cancelling({ api, batch, patience, ledger });
    this.#lines = new Lines({
      api, batch, patience, gate, ledger, now, wait, width, hash, put, hashesAtOnce,
      isReadable: readable, pace: this.#pace, sentCount: 0,
      onUpload: (upload) => this.protocol.use(upload.url ?? upload.multipart.parts[0]?.url),
      onLate: (item) => this.#cancelling.tell([item]),
      onEnd: () => this.#end(),
    });
  }

  // Something has not ended yet.
  get isMoving() {
    return this.ledger.unsettled > 0;
  }

  // Bytes would be left behind if the page were closed.
  get isMovingBytes() {
    return this.ledger.unsent > 0;
  }

  // How many items are in each state.
  get counts() {
    return this.ledger.counts;
  }

  get sentBytes() {
    return this.ledger.sentBytes;
  }

  get totalBytes() {
    return this.ledger.totalBytes;
  }

  // Paths that the server was told of: {done, total}.
  get manifest() {
    const { done, total } = this.#lines.manifest;
    return { done, total };
  }

  // Null while nothing flows or too little is known.
  get bytesPerSecond() {
    return this.#isFlowing ? this.#pace.bytesPerSecond : null;
  }

  // [low, high], or null.
  get secondsLeft() {
    return this.#isFlowing ? this.#pace.secondsLeft(this.totalBytes - this.sentBytes) : null;
  }

  // What keeps everything from going on: {kind, until}, `until` in milliseconds since the epoch or
  // null; null when it goes on.
  get waitingFor() {
    for (const kind of ["user", "offline", "rate_limit"]) {
      if (this.gate.isHeldBy(kind)) return { kind, until: this.gate.until(kind) };
    }
    return this.isMoving ? this.patience.waitingFor ?? this.#lines.sender.waitingFor : null;
  }

  get #isFlowing() {
    return this.isMovingBytes && this.gate.isOpen;
  }

  // Resolves when every item has ended one way or the other.
  run() {
    if (!this.isMoving) return Promise.resolve();
    if (!this.#running) this.#begin();
    return this.#running.promise;
  }

  // Without items everything is paused.
  pause(items) {
    if (!items) this.hold("user");
    for (const item of items ?? []) {
      if (isFinal(item) || item.state === "sent" || item.paused) continue;
      this.ledger.change(item, { paused: true });
      this.#lines.sender.holdOne(item);
      this.#lines.signing.letGo(item);
    }
  }

  // Without items everything goes on, also what was paused by itself.
  resume(items) {
    const paused = [...(items ?? this.items)].filter((item) => item.paused);
    for (const item of paused) this.ledger.change(item, { paused: false });
    if (this.#running) this.#lines.enter(paused);
    if (!items) this.release("user");
  }

  // Resolves once the server knows. Without items the whole batch is given up.
  async cancel(items) {
    if (!items) {
      await this.#cancelAll();
      return;
    }
    const known = [];
    for (const item of items) {
      const isUnderWay = item.state === "there" && UNDER_WAY.has(item.status);
      const isGivenUp = this.#lines.settle(item, "cancelled", { error: null });
      if ((isGivenUp || isUnderWay) && item.id !== null) known.push(item);
    }
    if (known.length > 0) await this.#cancelling.tell(known);
  }

  // What could not be sent is sent again, and what failed at the server is tried there again.
  // Resolves like run().
  async retry(items = this.items) {
    const all = [...items];
    const unsent = all.filter((item) => item.state === "failed");
    const ids = all.filter((item) => item.state === "there" && item.status === "failed")
      .map((item) => item.id);
    for (const item of unsent) this.ledger.reopen(item);
    if (this.#running) this.#lines.enter(unsent);
    const running = this.run();
    for (let at = 0; at < ids.length; at += WINDOW) {
      const some = ids.slice(at, at + WINDOW);
      await this.patience.ask((options) => this.api.retryDocuments(this.batch, some, options));
    }
    await running;
  }

  // Stops what is in flight until everybody who held it lets go: "user", "offline".
  hold(reason) {
    this.gate.hold(reason);
    this.#lines.sender.hold();
    this.#pace.pause();
  }

  release(reason) {
    this.gate.release(reason);
  }

  #begin() {
    const running = {};
    running.promise = new Promise((resolve) => {
      running.end = resolve;
    });
    this.#running = running;
    running.unwatch = watchConnection({
      page: this.page,
      wait: this.wait,
      onOffline: () => this.hold("offline"),
      onOnline: () => this.release("offline"),
      probe: () => this.api.isReachable(this.batch),
    });
    this.#lines.enter(this.items);
  }

  #end() {
    const running = this.#running;
    if (!running) return;
    this.#running = null;
    running.unwatch();
    this.protocol.stop();
    if (this.#pace.total) rememberPace(this.#pace.total);
    running.end();
  }

  async #cancelAll() {
    this.#abort.abort(new Error("cancelled"));
    this.#abort = new AbortController();
    for (const item of this.items) this.#lines.settle(item, "cancelled", { error: null });
    this.release("user");
    this.release("offline");
    await this.patience.ask((options) => this.api.cancel(this.batch, options));
  }
}
