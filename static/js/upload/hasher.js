// A few workers that hash; hash(blob) waits for the next free one.

export class Hasher {
  #waiting = [];
  #idle = [];
  #pending = new Map();
  #nextId = 0;

  constructor(url, { size = 2, makeWorker = (at) => new Worker(at, { type: "module" }) } = {}) {
    this.workers = Array.from({ length: size }, () => makeWorker(url));
    for (const worker of this.workers) {
      worker.addEventListener("message", ({ data }) => this.#finish(worker, data));
      worker.addEventListener("error", () => this.#fail(worker));
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
    if (this.#idle.length === 0 || this.#waiting.length === 0) return;
    const worker = this.#idle.pop();
    const task = this.#waiting.shift();
    const id = (this.#nextId += 1);
    this.#pending.set(worker, { ...task, id });
    worker.postMessage({ id, blob: task.blob });
  }

  #finish(worker, { sha256, error }) {
    const task = this.#pending.get(worker);
    this.#release(worker);
    if (error) task.reject(new Error(error));
    else task.resolve(sha256);
  }

  // The script itself did not load: whoever waits must hear of it.
  #fail(worker) {
    const task = this.#pending.get(worker);
    if (!task) return;
    this.#release(worker);
    task.reject(new Error("The browser could not start hashing."));
  }

  #release(worker) {
    this.#pending.delete(worker);
    this.#idle.push(worker);
    this.#next();
  }
}
