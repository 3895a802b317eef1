// Asks for URLs just in time: they live a few minutes, so only for what goes next.

import { Queue } from "./queue.js";
import { WINDOW } from "./registrar.js";

const FIRST = 24;
// What goes within this long is signed at one call.
const AHEAD_SECONDS = 60;
// Fewer signed ones than go within this long, and the next window is asked for.
const LOW_SECONDS = 3;
const MOST_LOW = 100;
// Bytes a second, until the first seconds have shown better.
const UNKNOWN_PACE = 10 * 1024 * 1024;
const FIRST_GATHER_MS = 50;
const GATHER_MS = 300;

export class Signing {
  #ready = new Queue();
  #urgent = new Map();
  #isBusy = false;
  #isGathering = false;
  #isGathered = false;
  #calls = 0;

  // `sign(items)` asks and hands each on. `load()` gives {waiting, width, documentsPerSecond,
  // bytesPerSecond} of the transfers; `isDone()` says that no more become ready soon.
  constructor({ sign, gate, load, isDone, wait }) {
    Object.assign(this, { sign, gate, load, isDone, wait });
  }

  push(item) {
    item.place = "sign";
    this.#ready.push(item);
    this.pump();
  }

  pushFirst(item) {
    item.place = "sign";
    this.#ready.pushFirst(item);
    this.pump();
  }

  // For a transfer under way: resolves when it was asked for anew, whatever came of it; rejects
  // when the transfer is held.
  renew(item, signal) {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const stop = () => {
        this.#urgent.delete(item);
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#urgent.set(item, () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      this.pump();
    });
  }

  pump() {
    if (this.#isBusy || !this.gate.isOpen) return;
    if (this.#urgent.size === 0 && !this.#isTime()) return;
    this.#run();
  }

  #isTime() {
    const load = this.load();
    if (this.#ready.length === 0 || load.waiting > this.#low(load)) return false;
    const isWorth = this.#ready.length >= this.#most(load) || this.isDone() || this.#isGathered;
    if (!isWorth) this.#gather();
    return isWorth;
  }

  // A call for each hash as it comes would be thousands of calls.
  async #gather() {
    if (this.#isGathering) return;
    this.#isGathering = true;
    await this.wait(this.#calls === 0 ? FIRST_GATHER_MS : GATHER_MS);
    this.#isGathering = false;
    this.#isGathered = true;
    this.pump();
  }

  async #run() {
    const urgent = [...this.#urgent].slice(0, WINDOW);
    for (const [item] of urgent) this.#urgent.delete(item);
    const items = urgent.map(([item]) => item);
    this.#take(items);
    this.#isBusy = true;
    this.#isGathered = false;
    if (items.length > 0) {
      this.#calls += 1;
      await this.sign(items);
    }
    this.#isBusy = false;
    for (const [, resolve] of urgent) resolve();
    this.pump();
  }

  // Fills the window up with what goes next.
  #take(items) {
    const load = this.load();
    if (load.waiting > this.#low(load)) return;
    const most = this.#most(load);
    const mostBytes = (load.bytesPerSecond ?? UNKNOWN_PACE) * AHEAD_SECONDS;
    let bytes = 0;
    let ahead = load.waiting;
    while (items.length < most && this.#ready.length > 0) {
      if (bytes > mostBytes && ahead >= load.width) return;
      const item = this.#ready.shift();
      if (item.paused || item.state !== "registered") {
        item.place = null;
        continue;
      }
      item.place = "signing";
      items.push(item);
      bytes += item.size;
      ahead += 1;
    }
  }

  #most({ width, documentsPerSecond }) {
    const soon = documentsPerSecond === null ? FIRST : documentsPerSecond * AHEAD_SECONDS;
    return Math.ceil(Math.min(WINDOW, Math.max(soon, 2 * width)));
  }

  #low({ width, documentsPerSecond }) {
    return Math.min(MOST_LOW, Math.max(width, (documentsPerSecond ?? 0) * LOW_SECONDS));
  }
}
