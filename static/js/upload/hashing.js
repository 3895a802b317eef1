// Hashes what was listed, the smallest first, a few at once.
//
// Small documents are searchable soon that way. One of the largest goes along at any time, so that
// it is not what everybody waits for in the end: it passes all lines until its bytes are sent.

import { SizeOrder } from "./size-order.js";

const LARGE_BYTES = 8 * 1024 * 1024;

export class Hashing {
  #order = new SizeOrder();
  #active = 0;
  #large = null;

  // `hash(item)` ends the item or hands it on; it never rejects.
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

  isLarge(item) {
    return item === this.#large;
  }

  // Its bytes are sent, or it ended or was paused: another large one may go along.
  letGo(item) {
    if (item !== this.#large) return;
    this.#large = null;
    this.pump();
  }

  pump() {
    while (!this.isHeld() && this.#active < this.most && this.#order.length > 0) {
      const item = this.#take();
      if (item.state === "queued" && !item.paused) this.#start(item);
      else {
        item.place = null;
        if (this.isLarge(item)) this.#large = null;
      }
    }
  }

  // The first is a small one: its bytes move while the large one is still being hashed.
  #take() {
    const isTurn = this.#active > 0 || this.most === 1;
    if (this.#large || !isTurn || this.#order.largest.size < LARGE_BYTES) {
      return this.#order.takeSmallest();
    }
    this.#large = this.#order.takeLargest();
    return this.#large;
  }

  async #start(item) {
    item.place = "hashing";
    this.#active += 1;
    await this.hash(item);
    this.#active -= 1;
    this.pump();
  }
}
