// As much of a document as the views of the upload page ask of one.

export class FakeElement {
  textContent = "";
  hidden = false;
  dataset = {};
  style = { setProperty() {} };
  #attributes = new Map();
  #listeners = new Map();
  #parts = new Map();

  constructor() {
    const classes = new Set();
    this.classList = {
      toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
      contains: (name) => classes.has(name),
    };
  }

  // One part for each selector, made when it is first asked for.
  querySelector(selector) {
    if (!this.#parts.has(selector)) this.#parts.set(selector, new FakeElement());
    return this.#parts.get(selector);
  }

  querySelectorAll(selector) {
    return [this.querySelector(selector)];
  }

  addEventListener(kind, listener) {
    this.#listeners.set(kind, listener);
  }

  fire(kind, event = {}) {
    return this.#listeners.get(kind)({ target: this, preventDefault() {}, ...event });
  }

  setAttribute(name, value) {
    this.#attributes.set(name, String(value));
  }

  getAttribute(name) {
    return this.#attributes.get(name) ?? (name === "href" ? "icons.svg#pause" : null);
  }

  focus() {
    this.isFocused = true;
  }
}

// A live region that keeps what was read out.
export class FakeRegion {
  told = [];

  get textContent() {
    return this.told.at(-1) ?? "";
  }

  set textContent(text) {
    this.told.push(text);
  }
}
