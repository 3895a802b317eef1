// Asks for URLs just in time: they live a few minutes, so only for what goes next.
//
// What was hashed first goes first, which is the smallest. One of the largest goes along at any
// time and passes the others, so that it is not what everybody waits for in the end.

import { LARGE_BYTES } from "./hashing.js";
import { Queue } from "./queue.js";
import { WINDOW } from "./registrar.js";
import { SizeOrder } from "./size-order.js";

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
  #large = new SizeOrder();
  #along = null;
  #urgent = new Map();
  #isBusy = false;
  #isGathering = false;
  #isGathered = false;
  #calls = 0;

  // `sign(items)` asks and hands each on. `load()` gives {waiting, waitingBytes, width,
  // documentsPerSecond, bytesPerSecond} of the transfers; `isDone()` says that no more become ready soon.
  constructor({ sign, gate, load, isDone, wait }) {
    Object.assign(this, { sign, gate, load, isDone, wait });
  }

  push(item) {
    item.place = "sign";
    if (item.size >= LARGE_BYTES) this.#large.insert(item);
    else this.#ready.push(item);
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

  // It is the large one that passes the others.
  isAlong(item) {
    return item === this.#along;
  }

  // Its bytes are sent, or it ended or was paused: another large one may go along.
  letGo(item) {
    if (item !== this.#along) return;
    this.#along = null;
    this.pump();
  }

  pump() {
    if (this.#isBusy || !this.gate.isOpen) return;
    if (this.#urgent.size === 0 && !this.#isTime()) return;
    this.#run();
  }

  #isTime() {
    const load = this.load();
    const ready = this.#ready.length + this.#large.length;
    if (ready === 0) return false;
    if (isFull(load)) return this.#isLargeDue();
    const isWorth = ready >= this.#most(load) || this.isDone() || this.#isGathered;
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
    if (isFull(load) && !this.#isLargeDue()) return;
    const most = isFull(load) ? items.length + 1 : this.#most(load);
    const mostBytes = (load.bytesPerSecond ?? UNKNOWN_PACE) * AHEAD_SECONDS;
    let bytes = load.waitingBytes;
    let ahead = load.waiting;
    while (items.length < most && this.#ready.length + this.#large.length > 0) {
      if (bytes > mostBytes && ahead >= load.width) return;
      const item = this.#next();
      if (item === null) continue;
      item.place = "signing";
      items.push(item);
      bytes += item.size;
      ahead += 1;
    }
  }

  #isLargeDue() {
    return this.#along === null && this.#large.length > 0;
  }

  // The next in line, or null when it was paused or ended meanwhile.
  #next() {
    const isAlong = this.#isLargeDue();
    const isLarge = isAlong || this.#ready.length === 0;
    const item = isLarge ? this.#large.takeLargest() : this.#ready.shift();
    if (item.paused || item.state !== "registered") {
      item.place = null;
      return null;
    }
    if (isAlong) this.#along = item;
    return item;
  }

  #most({ width, documentsPerSecond }) {
    const soon = documentsPerSecond === null ? FIRST : documentsPerSecond * AHEAD_SECONDS;
    return Math.ceil(Math.min(WINDOW, Math.max(soon, 2 * width)));
  }
}

// What is signed lasts a few seconds, by number or by bytes.
function isFull({ waiting, waitingBytes, width, documentsPerSecond, bytesPerSecond }) {
  const low = Math.max(width, (documentsPerSecond ?? 0) * LOW_SECONDS);
  if (waiting > Math.min(MOST_LOW, low)) return true;
  return waiting >= width && waitingBytes > (bytesPerSecond ?? UNKNOWN_PACE) * LOW_SECONDS;
}
