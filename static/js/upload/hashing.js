// Hashes what was listed, a few at once: the smallest first, and one of the largest along with them.

import { SizeOrder } from "./size-order.js";

// One of these takes long enough that it should not be what everybody waits for in the end.
export const LARGE_BYTES = 8 * 1024 * 1024;

export class Hashing {
  #order = new SizeOrder();
  #active = 0;
  #large = null;

  // `hash(item)` ends the item or hands it on, and never rejects.
  constructor({ hash, isHeld, most }) {
    Object.assign(this, { hash, isHeld, most });
  }

  // Nothing is being hashed, and nothing waits to be.
  get isIdle() {
    return this.#active === 0 && this.#order.length === 0;
  }

  add(items) {
    if (items.length === 0) return;
    for (const item of items) item.place = "hash";
    this.#order.add(items);
    this.pump();
  }

  pump() {
    while (!this.isHeld() && this.#active < this.most && this.#order.length > 0) {
      const item = this.#take();
      if (item.state === "queued" && !item.paused) this.#start(item);
      else item.place = null;
    }
  }

  // The first is a small one: its bytes move while the large one is still being hashed.
  #take() {
    const isTurn = this.#active > 0 || this.most === 1;
    const isLarge = isTurn && !this.#large && this.#order.largest.size >= LARGE_BYTES;
    return isLarge ? this.#order.takeLargest() : this.#order.takeSmallest();
  }

  async #start(item) {
    item.place = "hashing";
    this.#active += 1;
    if (item.size >= LARGE_BYTES) this.#large ??= item;
    await this.hash(item);
    if (this.#large === item) this.#large = null;
    this.#active -= 1;
    this.pump();
  }
}
