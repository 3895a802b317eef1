// A queue between two loops: takeMany waits for the next window of values.

export class Channel {
  #buffer = [];
  #waiters = [];
  #closed = false;

  push(...values) {
    this.#buffer.push(...values);
    this.#wake();
  }

  close() {
    this.#closed = true;
    this.#wake();
  }

  // Resolves to up to `most` values: at once when there are so many, otherwise after `waitMs`;
  // to none at all once closed and empty.
  async takeMany(most, waitMs) {
    while (this.#buffer.length === 0 && !this.#closed) await this.#change();
    if (!this.#isFull(most)) await Promise.race([this.#fills(most), pause(waitMs)]);
    return this.#buffer.splice(0, most);
  }

  #isFull(most) {
    return this.#closed || this.#buffer.length >= most;
  }

  async #fills(most) {
    while (!this.#isFull(most)) await this.#change();
  }

  #change() {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake() {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
