// What is selected, and what can be done to it.

import { formatCount, plural } from "../format.js";
import { ACTIONS, countOf } from "./actions.js";

const ASK = {
  cancel: (count) => `Cancel ${plural(count, "document")}? What is searchable stays searchable.`,
};

// "12 selected, 3 of them not shown"; what is shown when nothing is.
export function barSentence({ selected, hidden, shown }) {
  if (selected === 0) return plural(shown, "document");
  const rest = hidden > 0 ? `, ${formatCount(hidden)} of them not shown` : "";
  return `${formatCount(selected)} selected${rest}`;
}

export class SelectionBar {
  #counts = {};
  #items = [];

  // `onAct(action, items)` does it; `onAll(isChosen)` selects everything that is shown, or nothing.
  constructor(element, { onAct, onAll }) {
    this.element = element;
    this.all = element.querySelector("[data-choose-all]");
    this.text = element.querySelector("[data-chosen]");
    this.all.addEventListener("change", () => onAll(this.all.checked));
    for (const action of ACTIONS) {
      this.#button(action).addEventListener("click", () => {
        const count = this.#counts[action];
        if (!count || (ASK[action] && !window.confirm(ASK[action](count)))) return;
        onAct(action, this.#items);
      });
    }
  }

  // `all` is "all", "some" or "none" of what is shown.
  show({ items, hidden, shown, all }) {
    this.#items = items;
    this.#counts = countOf(items);
    this.all.checked = all === "all";
    this.all.indeterminate = all === "some";
    const sentence = barSentence({ selected: items.length, hidden, shown });
    if (this.text.textContent !== sentence) this.text.textContent = sentence;
    this.element.querySelector("[data-actions]").hidden = items.length === 0;
    for (const action of ACTIONS) {
      // Not `disabled`: a button that was just pressed would drop the focus.
      this.#button(action).setAttribute("aria-disabled", String(this.#counts[action] === 0));
    }
  }

  #button(action) {
    return this.element.querySelector(`[data-act="${action}"]`);
  }
}
