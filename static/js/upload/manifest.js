// Lists every path at the server, a window at a time, before anything is hashed or sent.

import { isFinal } from "./item.js";
import { WINDOW } from "./registrar.js";

export class Manifest {
  done = 0;
  total = 0;
  #queue = [];
  #next = 0;
  #isRunning = false;

  // `list(items)` tells the server of one window; `onAll(items)` gets what is left to be sent.
  constructor({ list, onAll }) {
    Object.assign(this, { list, onAll });
  }

  get isRunning() {
    return this.#isRunning;
  }

  add(items) {
    if (items.length === 0) return;
    for (const item of items) item.place = "manifest";
    this.#queue = this.#queue.concat(items);
    this.total += items.length;
    if (!this.#isRunning) this.#run();
  }

  // Lists one of the window that was just answered a second time, told otherwise.
  again(item) {
    this.#queue.push(item);
    this.done -= 1;
  }

  async #run() {
    this.#isRunning = true;
    while (this.#next < this.#queue.length) {
      const taken = this.#queue.slice(this.#next, this.#next + WINDOW);
      this.#next += taken.length;
      const items = taken.filter((item) => !isFinal(item));
      if (items.length > 0) await this.list(items);
      this.done += taken.length;
    }
    const listed = new Set(this.#queue.filter((item) => !isFinal(item)));
    this.#queue = [];
    this.#next = 0;
    this.#isRunning = false;
    this.onAll([...listed]);
  }
}
