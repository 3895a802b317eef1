// What would be sent, before a byte moves: accepted, left out, refused and why.

import { formatBytes } from "../format.js";
import { refusePath } from "./paths.js";

const YIELD_EVERY = 200;

export class Preflight {
  accepted = [];
  refused = [];
  junk = 0;
  bytes = 0;
  #paths = new Set();

  constructor({ maxBytes = Infinity } = {}) {
    this.maxBytes = maxBytes;
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
      if (count % YIELD_EVERY === 0) {
        onProgress(this);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    // As the server lists them; pickers give them in any order.
    this.accepted.sort((one, other) => (one.path < other.path ? -1 : 1));
    onProgress(this);
    return this;
  }

  // The folder that was dropped gives the batch its name.
  get name() {
    const tops = new Set(this.accepted.map(({ path }) => path.split("/")[0]));
    if (tops.size !== 1) return "";
    return this.accepted[0].path.includes("/") ? [...tops][0] : "";
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
