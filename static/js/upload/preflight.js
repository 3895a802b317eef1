// What would be sent, before a byte moves: accepted, left out, refused and why.

import { formatBytes } from "../format.js";
import { Breath } from "./breath.js";
import { estimateSeconds } from "./pace.js";
import { refusePath } from "./paths.js";
import { WINDOW } from "./registrar.js";

const PROGRESS_EVERY = 200;
// Nothing is shown before the answer, and some of the browser's six connections stay free.
const ASKED_AT_ONCE = 3;

export class Preflight {
  accepted = [];
  refused = [];
  junk = 0;
  bytes = 0;
  // Known once the server was asked.
  quotaLeft = null;
  #paths = new Set();

  constructor({ maxBytes = Infinity, breath = new Breath() } = {}) {
    this.maxBytes = maxBytes;
    this.breath = breath;
  }

  get count() {
    return this.accepted.length;
  }

  // At the pace of the last visit; null at the first.
  get secondsEstimate() {
    return estimateSeconds({ bytes: this.bytes, documents: this.count });
  }

  // Null until the server was asked.
  get fitsQuota() {
    return this.quotaLeft === null ? null : this.bytes <= this.quotaLeft;
  }

  add(found) {
    if (found.junk) {
      this.junk += 1;
      return;
    }
    const reason = this.#refuse(found);
    if (reason) {
      this.refused.push({ path: found.path, reason });
    } else if (!this.#paths.has(found.path)) {
      this.#paths.add(found.path);
      this.accepted.push(found);
      this.bytes += found.blob.size;
    }
  }

  // Reads the whole walk, and lets the page breathe while it does.
  async read(walk, onProgress = () => {}) {
    let count = 0;
    for await (const found of walk) {
      this.add(found);
      count += 1;
      if (count % PROGRESS_EVERY === 0) onProgress(this);
      await this.breath.take();
    }
    // As the server lists them; pickers give them in any order.
    this.accepted.sort((one, other) => (one.path < other.path ? -1 : 1));
    onProgress(this);
    return this;
  }

  // Asks the server what it would take. Nothing is hashed for that, and nothing is written.
  // Raises ApiError when the server cannot be asked, and asks it nothing more then.
  async askServer(api, batch) {
    const refused = new Map();
    const windows = [];
    for (let at = 0; at < this.accepted.length; at += WINDOW) {
      windows.push(this.accepted.slice(at, at + WINDOW));
    }
    const onwards = async () => {
      while (windows.length > 0) await this.#ask(api, batch, windows.shift(), refused);
    };
    try {
      await Promise.all(Array.from({ length: ASKED_AT_ONCE }, onwards));
    } finally {
      windows.length = 0;
    }
    this.#leaveOut(refused);
    return this;
  }

  // The folder that was dropped gives the batch its name.
  get name() {
    const tops = new Set(this.accepted.map(({ path }) => path.split("/")[0]));
    if (tops.size !== 1) return "";
    return this.accepted[0].path.includes("/") ? [...tops][0] : "";
  }

  async #ask(api, batch, some, refused) {
    const documents = some.map(({ path, blob }) => ({ path, size: blob.size }));
    const answer = await api.preflight(batch, documents);
    for (const { path, code, detail } of answer.refused) refused.set(path, { code, detail });
    this.quotaLeft = answer.quota_left;
  }

  #leaveOut(refused) {
    if (refused.size === 0) return;
    const taken = [];
    for (const found of this.accepted) {
      const problem = refused.get(found.path);
      if (!problem) {
        taken.push(found);
        continue;
      }
      this.refused.push({ path: found.path, reason: problem.detail, code: problem.code });
      this.bytes -= found.blob.size;
    }
    this.accepted = taken;
  }

  #refuse({ path, blob, unreadable }) {
    if (unreadable) return "The browser could not read it.";
    if (blob.size === 0) return "It is empty.";
    if (blob.size > this.maxBytes) {
      return `It is ${formatBytes(blob.size)}; the limit is ${formatBytes(this.maxBytes)}.`;
    }
    return refusePath(path);
  }
}
