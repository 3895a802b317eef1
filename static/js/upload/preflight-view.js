// Shows what would be sent, and lets a person decide when something was refused.

import { formatBytes, formatCount, plural } from "../format.js";

const LISTED = 200;

export class PreflightView {
  constructor(element, { onStart, onDiscard }) {
    this.element = element;
    element.querySelector("[data-start]").addEventListener("click", onStart);
    element.querySelector("[data-discard]").addEventListener("click", onDiscard);
  }

  showReading(preflight) {
    this.element.hidden = false;
    this.#part("title").textContent = "Looking through the folder…";
    this.#showNumbers(preflight);
    this.#part("decision").hidden = true;
    this.#part("refused").hidden = true;
  }

  showResult(preflight) {
    this.#part("title").textContent = preflight.name || "Ready to upload";
    this.#showNumbers(preflight);
    this.#showRefused(preflight.refused);
    const nothing = preflight.accepted.length === 0;
    this.#part("decision").hidden = false;
    this.#part("nothing").hidden = !nothing;
    const start = this.#part("start");
    start.hidden = nothing;
    start.textContent = `Upload ${plural(preflight.accepted.length, "document")}`;
    if (!nothing) start.focus();
  }

  hide() {
    this.element.hidden = true;
  }

  #showNumbers(preflight) {
    this.#part("count").textContent = formatCount(preflight.accepted.length);
    this.#part("bytes").textContent = formatBytes(preflight.bytes);
    this.#part("junk").textContent = formatCount(preflight.junk);
    this.#part("refused-count").textContent = formatCount(preflight.refused.length);
  }

  #showRefused(refused) {
    const box = this.#part("refused");
    box.hidden = refused.length === 0;
    box.open = refused.length <= 5;
    const lines = refused.slice(0, LISTED).map(({ path, reason }) => {
      const line = document.createElement("li");
      const name = document.createElement("strong");
      name.textContent = path;
      line.append(name, ` ${reason}`);
      return line;
    });
    this.#part("refused-list").replaceChildren(...lines);
    this.#part("refused-title").textContent = `${plural(refused.length, "document")} cannot be sent`;
  }

  #part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }
}
