// How many transfers run at once: more while that moves more bytes, half after trouble.

const FEWEST = 2;
const ROUND_MS = 400;
// Less than this is noise, and one more transfer did not help.
const GROWTH = 1.05;
// Rounds after which it is worth trying again what did not help.
const REST_ROUNDS = 8;

export class Width {
  #round = null;
  #previous = null;
  #isDoubling = true;
  #rest = 0;
  #halvedAt = -Infinity;

  constructor({ start = 3, most = 6 } = {}) {
    this.now = start;
    this.most = most;
  }

  // What the connection allows became known, or changed.
  limit(most) {
    this.most = most;
    this.now = Math.min(this.now, most);
  }

  // One transfer went well; `moved` are all bytes so far. Unless more wait than are let through
  // (`isFull`), the pace says nothing about the width.
  succeeded({ moved, at, isFull }) {
    if (!isFull) {
      this.#round = null;
      return;
    }
    if (!this.#round) {
      this.#round = { moved, at, transfers: 0 };
      return;
    }
    this.#round.transfers += 1;
    const ms = at - this.#round.at;
    if (this.#round.transfers < this.now || ms < ROUND_MS) return;
    this.#judge((moved - this.#round.moved) / ms);
    this.#round = { moved, at, transfers: 0 };
  }

  // Many fail of one cause: only a transfer that began since the last cut cuts again.
  failed({ startedAt, at }) {
    this.#round = null;
    this.#previous = null;
    this.#isDoubling = false;
    this.#rest = REST_ROUNDS / 2;
    if (startedAt < this.#halvedAt) return;
    this.#halvedAt = at;
    this.now = Math.max(FEWEST, Math.floor(this.now / 2));
  }

  #judge(pace) {
    if (this.#rest > 0) {
      this.#rest -= 1;
      if (this.#rest === 0) this.#widen(pace);
      return;
    }
    if (this.#previous === null || pace > this.#previous.pace * GROWTH) {
      this.#widen(pace);
      return;
    }
    // The last step did not help: back, and rest.
    this.now = Math.max(FEWEST, Math.min(this.#previous.width, this.most));
    this.#previous = null;
    this.#isDoubling = false;
    this.#rest = REST_ROUNDS;
  }

  #widen(pace) {
    this.#previous = { pace, width: this.now };
    const step = this.#isDoubling ? Math.ceil(this.now / 2) : 1;
    this.now = Math.min(this.most, this.now + step);
  }
}
