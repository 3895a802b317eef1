// How many transfers run at once: one more after each round that went well, half after trouble.

export class Width {
  #successes = 0;

  constructor({ start = 3, most = 6 } = {}) {
    this.now = start;
    this.most = most;
  }

  succeeded() {
    this.#successes += 1;
    if (this.#successes < this.now || this.now >= this.most) return;
    this.now += 1;
    this.#successes = 0;
  }

  failed() {
    this.now = Math.max(1, Math.floor(this.now / 2));
    this.#successes = 0;
  }
}
