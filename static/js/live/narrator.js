// The one voice of a page for a screen reader: a sentence now and then, never a chatter.

const EVERY_MS = 10000;

export class Narrator {
  #toldAt = -Infinity;

  // `element` is a polite live region; it is read out when its text changes.
  constructor(element, { everyMs = EVERY_MS, now = Date.now } = {}) {
    Object.assign(this, { element, everyMs, now });
  }

  // How it goes: told when nothing was for a while, otherwise dropped, for it will be old by then.
  tell(sentence) {
    if (this.now() - this.#toldAt >= this.everyMs) this.tellEnd(sentence);
  }

  // Something came to its end: told at once.
  tellEnd(sentence) {
    if (this.element.textContent === sentence) return;
    this.#toldAt = this.now();
    this.element.textContent = sentence;
  }
}
