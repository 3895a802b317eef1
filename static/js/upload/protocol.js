// Which HTTP the transfers speak, as far as the browser lets a page see it.

// Browsers open six HTTP/1.1 connections to an origin; HTTP/2 and 3 carry many on one.
const MOST_HTTP1 = 6;
const MOST_MULTIPLEXED = 30;

// Without Timing-Allow-Origin from another origin the name is empty: then as HTTP/1.1.
// https://www.w3.org/TR/resource-timing/#dom-performanceresourcetiming-nexthopprotocol
export function mostAtOnce(protocol, { sharesOrigin }) {
  if (/^h[23]/.test(protocol)) return MOST_MULTIPLEXED;
  // The calls of the API need a connection too.
  return sharesOrigin ? MOST_HTTP1 - 1 : MOST_HTTP1;
}

export class ProtocolWatch {
  #observer = null;
  #origin = null;

  // `onMost(count)` is told how many transfers may run at once.
  constructor({
    onMost,
    page = globalThis.location,
    performance = globalThis.performance,
    PerformanceObserver = globalThis.PerformanceObserver,
  }) {
    Object.assign(this, { onMost, page, performance, PerformanceObserver });
  }

  // Called with every URL that is used; the store's origin is that of the last.
  use(url) {
    if (!this.page || !url) return;
    const { origin } = new URL(url, this.page.href);
    if (origin === this.#origin) return;
    this.#origin = origin;
    this.#tell("");
    this.#observe();
  }

  stop() {
    this.#observer?.disconnect();
    this.#observer = null;
    this.#origin = null;
  }

  #tell(protocol) {
    this.onMost(mostAtOnce(protocol, { sharesOrigin: this.#origin === this.page.origin }));
  }

  #observe() {
    if (this.#observer || !this.PerformanceObserver) return;
    this.#observer = new this.PerformanceObserver((list) => this.#read(list.getEntries()));
    this.#observer.observe({ type: "resource" });
  }

  #read(entries) {
    for (const { name, nextHopProtocol } of entries) {
      if (nextHopProtocol && name.startsWith(`${this.#origin}/`)) this.#tell(nextHopProtocol);
    }
    // An entry for each of ten thousand transfers is memory that nobody gives back.
    this.performance.clearResourceTimings();
  }
}
