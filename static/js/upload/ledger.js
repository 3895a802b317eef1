// Counts states and bytes as items change, and tells of the changes once a frame.

import { nextFrame } from "./frames.js";
import { STATES, UNSENT, isFinal } from "./item.js";

export class Ledger {
  counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  // At the store, of what is to go there: what failed or was refused counts in neither.
  sentBytes = 0;
  totalBytes = 0;
  // Everything that went over the line, also what had to go twice; only ever grows.
  movedBytes = 0;
  #changed = new Set();
  #isScheduled = false;

  constructor(items, { onChange = () => {}, frame = nextFrame } = {}) {
    Object.assign(this, { onChange, frame });
    for (const item of items) {
      this.counts[item.state] += 1;
      this.totalBytes += item.size;
    }
  }

  get unsent() {
    return this.#sum(UNSENT);
  }

  get unsettled() {
    return this.unsent + this.counts.sent;
  }

  change(item, fields) {
    if (fields.state && fields.state !== item.state) {
      this.counts[item.state] -= 1;
      this.counts[fields.state] += 1;
    }
    Object.assign(item, fields);
    this.#tell(item);
  }

  // Of this item, so many bytes went over the line.
  progress(item, loaded) {
    if (isFinal(item)) return;
    this.movedBytes += Math.max(0, Math.min(loaded, item.size) - item.loaded);
    this.stored(item, loaded);
  }

  // Of this item, the store holds so many bytes, whoever sent them.
  stored(item, loaded) {
    const bytes = Math.min(loaded, item.size) - item.loaded;
    if (bytes === 0 || isFinal(item)) return;
    this.sentBytes += bytes;
    this.change(item, { loaded: item.loaded + bytes });
  }

  // Ends an item; one that ended before stays as it is. Returns whether it ended now.
  settle(item, state, fields = {}) {
    if (isFinal(item)) return false;
    const credit = state === "there" ? item.size : 0;
    this.sentBytes += credit - item.loaded;
    this.totalBytes -= item.size - credit;
    const ended = { next: null, ...fields, state, loaded: credit, paused: false, place: null };
    // Thousands ended before the last one does: they keep nothing that is of no more use.
    ended.upload = null;
    if (state !== "failed") ended.blob = { size: item.size };
    this.change(item, ended);
    return true;
  }

  // A failed item begins again.
  reopen(item) {
    this.totalBytes += item.size;
    this.change(item, { state: "queued", error: null, next: null, sentAgain: false });
  }

  #sum(states) {
    let sum = 0;
    for (const state of states) sum += this.counts[state];
    return sum;
  }

  #tell(item) {
    this.#changed.add(item);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.frame(() => {
      const changed = this.#changed;
      this.#changed = new Set();
      this.#isScheduled = false;
      this.onChange(changed);
    });
  }
}
