// Open unless somebody has a reason to hold it: a person who paused, a line that is down.

export class Gate {
  #reasons = new Set();
  #waiters = [];

  get isOpen() {
    return this.#reasons.size === 0;
  }

  isHeldBy(reason) {
    return this.#reasons.has(reason);
  }

  hold(reason) {
    this.#reasons.add(reason);
  }

  release(reason) {
    this.#reasons.delete(reason);
    if (this.isOpen) for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async pass() {
    while (!this.isOpen) await new Promise((resolve) => this.#waiters.push(resolve));
  }
}
