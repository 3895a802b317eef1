// Calls of the API that outlast a server that is away: three quick tries, then patient rounds.

import { ApiError } from "../api.js";
import { retryDelay } from "../backoff.js";

const QUICK_TRIES = 3;
// A server that answers with its own fault every time will not mend by being asked.
const MOST_TRIES = { unknown: 3, server: 12 };

export class Patience {
  #rests = new Set();

  // `signal()` gives the one that ends every call.
  constructor({ gate, now, wait, signal }) {
    Object.assign(this, { gate, now, wait, signal });
  }

  // What somebody waits for longer than a moment: {kind, until}, or null.
  get waitingFor() {
    return [...this.#rests].at(-1) ?? null;
  }

  // `call` is given the options for one try; the gate is passed before each.
  async ask(call, { disregarding = [] } = {}) {
    const signal = this.signal();
    for (let attempt = 1; ; attempt += 1) {
      await this.gate.pass(disregarding);
      signal.throwIfAborted();
      try {
        return await call({ signal, tries: 1 });
      } catch (error) {
        if (!isWorthAnother(error, attempt)) throw error;
        await this.#rest(error, attempt, signal);
      }
    }
  }

  async #rest(error, attempt, signal) {
    const ms = retryDelay(error, attempt - 1);
    // Too many requests are too many of all of us: everybody waits.
    if (error.kind === "rate_limit") {
      this.gate.holdFor("rate_limit", ms);
      return;
    }
    const rest = { kind: error.kind, until: this.now() + ms };
    if (attempt >= QUICK_TRIES) this.#rests.add(rest);
    try {
      await this.wait(ms, signal);
    } finally {
      this.#rests.delete(rest);
    }
  }
}

function isWorthAnother(error, attempt) {
  if (!(error instanceof ApiError)) return false;
  if (error.kind === "invalid") return false;
  // 503 says that it comes back, and a lost line does.
  if (error.status === 503) return true;
  return attempt < (MOST_TRIES[error.kind] ?? Infinity);
}
