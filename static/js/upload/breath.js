// Lets the page draw and answer while a long piece of work goes on.

const SLICE_MS = 12;

export class Breath {
  #since;

  constructor({ sliceMs = SLICE_MS, now = () => performance.now(), rest = nextTask } = {}) {
    Object.assign(this, { sliceMs, now, rest });
    this.#since = now();
  }

  // Waits for the page's turn once a slice is used up; otherwise goes on at once. Returns whether
  // it waited.
  async take() {
    if (this.now() - this.#since < this.sliceMs) return false;
    await this.rest();
    this.#since = this.now();
    return true;
  }
}

// A promise would run before anything else may; a timer waits 4 ms and more.
function nextTask() {
  if (globalThis.scheduler?.yield) return globalThis.scheduler.yield();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
