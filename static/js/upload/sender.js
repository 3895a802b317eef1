// Keeps as many transfers going as the width allows.

import { nextStep } from "../api.js";
import { storedBytes } from "./parts.js";
import { Queue } from "./queue.js";
import { HELD, Transfer } from "./transfer.js";

export { HELD };

export class Sender {
  #queue = new Queue();
  #waitingBytes = 0;
  #active = new Map();
  #resting = new Map();

  // `renew(item, signal)` resolves when the server was asked for fresh URLs; `onStale(item)` takes
  // back one that waited too long; `onRoom()` is told whenever a transfer ended.
  constructor(tools) {
    Object.assign(this, tools);
    this.tools = { ...tools, onPiece: () => this.#succeeded(), ...this.#troubles() };
  }

  // Signed and not begun.
  get waiting() {
    return this.#queue.length;
  }

  // The bytes of those.
  get waitingBytes() {
    return this.#waitingBytes;
  }

  get active() {
    return this.#active.size;
  }

  // What all of them wait for, when none moves: {kind, until}, or null.
  get waitingFor() {
    if (this.#active.size === 0 || this.#resting.size < this.#active.size) return null;
    return [...this.#resting.values()].reduce((one, two) => (one.until < two.until ? one : two));
  }

  push(item) {
    item.place = "send";
    this.#queue.push(item);
    this.#waitingBytes += item.size;
    this.pump();
  }

  pushFirst(item) {
    item.place = "send";
    this.#queue.pushFirst(item);
    this.#waitingBytes += item.size;
    this.pump();
  }

  pump() {
    while (this.gate.isOpen && this.#active.size < this.width.now && this.#queue.length > 0) {
      const item = this.#queue.shift();
      this.#waitingBytes -= item.size;
      item.place = null;
      if (item.state !== "registered" || item.paused) continue;
      if (item.usableUntil <= this.now()) this.onStale(item);
      else this.#start(item);
    }
  }

  // Stops what is in flight; each goes to the front of the line again.
  hold() {
    for (const controller of this.#active.values()) controller.abort(HELD);
  }

  holdOne(item) {
    this.#active.get(item)?.abort(HELD);
  }

  async #start(item) {
    const controller = new AbortController();
    this.#active.set(item, controller);
    item.place = "sending";
    this.ledger.change(item, { state: "sending" });
    try {
      await new Transfer(item, this.tools, controller.signal).run();
      this.#end(item);
      if (item.state === "sending") this.onSent(item);
    } catch (error) {
      this.#end(item);
      if (error === HELD) this.#requeue(item);
      else this.onFailed(item, error);
    }
    this.pump();
    this.onRoom();
  }

  #end(item) {
    this.#active.delete(item);
    item.place = null;
  }

  #requeue(item) {
    if (item.state !== "sending") return;
    this.ledger.stored(item, storedBytes(item.upload, item.size));
    this.ledger.change(item, { state: "registered", error: null, next: null });
    if (!item.paused) this.pushFirst(item);
  }

  #succeeded() {
    const isFull = this.#queue.length > 0 && this.#active.size >= this.width.now;
    this.width.succeeded({ moved: this.ledger.movedBytes, at: this.now(), isFull });
    // It may have grown: the next one need not wait for a whole document.
    this.pump();
  }

  #troubles() {
    return {
      onTrouble: (error, ms, startedAt) => {
        this.width.failed({ startedAt, at: this.now() });
        if (error.kind === "rate_limit") this.gate.holdFor("rate_limit", ms);
      },
      rest: async (item, error, ms, signal) => {
        this.ledger.change(item, { error: error.message, next: nextStep(error.kind, ms) });
        this.#resting.set(item, { kind: error.kind, until: this.now() + ms });
        try {
          await this.wait(ms, signal);
        } finally {
          this.#resting.delete(item);
        }
        this.ledger.change(item, { error: null, next: null });
      },
    };
  }
}
