// How much a second over the last few seconds, of anything that only grows.

const WINDOW_MS = 8000;
const LEAST_MS = 500;
const SAMPLE_EVERY_MS = 200;

export class Rate {
  #samples = [];

  constructor({ windowMs = WINDOW_MS } = {}) {
    this.windowMs = windowMs;
  }

  // Cheap enough for every progress event: most of them leave nothing behind.
  add(total, now) {
    const samples = this.#samples;
    const isSoon = samples.length > 1 && now - samples.at(-2).now < SAMPLE_EVERY_MS;
    if (isSoon) samples.pop();
    samples.push({ total, now });
    while (samples.length > 2 && now - samples[0].now > this.windowMs) samples.shift();
  }

  // After a pause, what was before says nothing.
  forget() {
    this.#samples = [];
  }

  // Null while too little is known.
  get perSecond() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.now - first.now < LEAST_MS) return null;
    return ((last.total - first.total) * 1000) / (last.now - first.now);
  }

  get bytesPerSecond() {
    return this.perSecond;
  }
}
