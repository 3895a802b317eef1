// Bytes per second over the last few seconds.

const WINDOW_MS = 8000;

export class Rate {
  #samples = [];

  add(totalBytes, now) {
    this.#samples.push({ totalBytes, now });
    while (this.#samples.length > 2 && now - this.#samples[0].now > WINDOW_MS) {
      this.#samples.shift();
    }
  }

  get bytesPerSecond() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.now - first.now < 500) return null;
    return ((last.totalBytes - first.totalBytes) * 1000) / (last.now - first.now);
  }
}
