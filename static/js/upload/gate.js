// Open unless there is a reason to hold it: a person paused, the line is down, the server asked.

import { sleep } from "../backoff.js";

export class Gate {
  // Each reason with the time when it ends by itself, or null.
  #reasons = new Map();
  #waiters = [];

  constructor({ now = Date.now, wait = sleep, onRelease = () => {} } = {}) {
    Object.assign(this, { now, wait, onRelease });
  }

  get isOpen() {
    return this.#reasons.size === 0;
  }

  isHeldBy(reason) {
    return this.#reasons.has(reason);
  }

  // Milliseconds since the epoch, or null for as long as it takes.
  until(reason) {
    return this.#reasons.get(reason) ?? null;
  }

  hold(reason) {
    this.#reasons.set(reason, null);
  }

  // Several may ask for a rest at once: the longest one holds.
  async holdFor(reason, ms) {
    const until = this.now() + ms;
    if (until <= (this.until(reason) ?? -Infinity)) return;
    this.#reasons.set(reason, until);
    await this.wait(ms);
    if (this.until(reason) === until) this.release(reason);
  }

  release(reason) {
    if (!this.#reasons.delete(reason)) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
    this.onRelease();
  }

  // Waits until nothing holds it, save for what the caller may disregard.
  async pass(disregarded = []) {
    while ([...this.#reasons.keys()].some((reason) => !disregarded.includes(reason))) {
      await new Promise((resolve) => this.#waiters.push(resolve));
    }
  }
}
