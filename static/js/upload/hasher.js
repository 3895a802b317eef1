// A pool of workers that hash; hash(blob) waits for the next free one.

const FEWEST = 2;
const MOST = 8;

// No worker can hash here: a document may go without, for the server hashes what arrives.
export class HashingUnavailable extends Error {}

export function poolSize(cores = globalThis.navigator?.hardwareConcurrency) {
  return Math.min(MOST, Math.max(FEWEST, cores || FEWEST));
}

export class Hasher {
  #waiting = [];
  #idle = [];
  #pending = new Map();
  #broken = new Set();

  constructor(url, { size = poolSize(), makeWorker = (at) => new Worker(at, { type: "module" }) } = {}) {
    this.workers = Array.from({ length: size }, () => makeWorker(url));
    for (const worker of this.workers) {
      worker.addEventListener("message", ({ data }) => this.#finish(worker, data));
      worker.addEventListener("error", () => this.#break(worker));
    }
    this.#idle.push(...this.workers);
  }

  hash(blob) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ blob, resolve, reject });
      this.#next();
    });
  }

  close() {
    for (const worker of this.workers) worker.terminate();
  }

  #next() {
    if (this.#broken.size === this.workers.length) {
      for (const task of this.#waiting.splice(0)) task.reject(unavailable());
    }
    if (this.#idle.length === 0 || this.#waiting.length === 0) return;
    const worker = this.#idle.pop();
    const task = this.#waiting.shift();
    this.#pending.set(worker, task);
    worker.postMessage({ blob: task.blob });
  }

  #finish(worker, { sha256, error }) {
    const task = this.#pending.get(worker);
    this.#pending.delete(worker);
    this.#idle.push(worker);
    this.#next();
    if (error) task.reject(new Error(error));
    else task.resolve(sha256);
  }

  // The script did not load or died: it answers nobody any more, and whoever waits must hear of it.
  #break(worker) {
    this.#broken.add(worker);
    this.#idle = this.#idle.filter((other) => other !== worker);
    this.#pending.get(worker)?.reject(unavailable());
    this.#pending.delete(worker);
    this.#next();
  }
}

function unavailable() {
  return new HashingUnavailable("The browser could not start hashing.");
}
