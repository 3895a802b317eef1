// Shows what would be sent, and lets a person decide when something stands against it.

import { formatBytes, formatCount, plural } from "../format.js";
import { write } from "./item-row.js";
import {
  groupByReason, isTooMuch, quotaSentence, roomFact, spokenResult, timeFact,
} from "./preflight-words.js";

const LISTED = 100;
const OPEN_UP_TO = 5;

export class PreflightView {
  constructor(element, { narrator, onStart, onDiscard }) {
    Object.assign(this, { element, narrator });
    this.#part("start").addEventListener("click", onStart);
    this.#part("discard").addEventListener("click", onDiscard);
  }

  showReading(preflight) {
    this.#showBusy(preflight, "Looking through the folder…");
    this.narrator.tell(`${plural(preflight.accepted.length, "document")} found so far.`);
  }

  showAsking(preflight) {
    this.#showBusy(preflight, "Asking the server…");
  }

  showResult(preflight, { isGoingOn }) {
    this.element.hidden = false;
    const nothing = preflight.accepted.length === 0;
    const isFull = !nothing && !isGoingOn && isTooMuch(preflight);
    write(this.#part("title"), preflight.name || "Ready to upload");
    this.#showFacts(preflight);
    this.#showRefused(preflight.refused);
    this.#part("decision").hidden = false;
    this.#part("nothing").hidden = !nothing;
    this.#part("full").hidden = !isFull;
    this.#part("make-room").hidden = !isFull;
    if (isFull) write(this.#part("full-text"), quotaSentence(preflight));
    this.#part("start").hidden = nothing || isFull;
    write(this.#part("start"), `Upload ${plural(preflight.accepted.length, "document")}`);
    this.narrator.tellEnd(isFull ? quotaSentence(preflight) : spokenResult(preflight));
    this.#part(nothing || isFull ? "discard" : "start").focus();
  }

  hide() {
    this.element.hidden = true;
  }

  #showBusy(preflight, title) {
    this.element.hidden = false;
    write(this.#part("title"), title);
    this.#showFacts(preflight);
    this.#part("decision").hidden = true;
    this.#part("refused").hidden = true;
  }

  #showFacts(preflight) {
    write(this.#part("count"), formatCount(preflight.accepted.length));
    write(this.#part("bytes"), formatBytes(preflight.bytes));
    write(this.#part("junk"), formatCount(preflight.junk));
    write(this.#part("refused-count"), formatCount(preflight.refused.length));
    write(this.#part("room"), roomFact(preflight.quotaLeft));
    write(this.#part("time"), timeFact(preflight.secondsEstimate));
  }

  #showRefused(refused) {
    const box = this.#part("refused");
    box.hidden = refused.length === 0;
    box.open = refused.length <= OPEN_UP_TO;
    write(this.#part("refused-title"), `${plural(refused.length, "document")} cannot be sent`);
    let room = LISTED;
    const groups = groupByReason(refused).map(({ title, documents }) => {
      const shown = documents.slice(0, room);
      room -= shown.length;
      return makeGroup(title, documents.length, shown);
    });
    this.#part("refused-list").replaceChildren(...groups);
    const unlisted = refused.length - LISTED;
    this.#part("refused-rest").hidden = unlisted <= 0;
    write(this.#part("refused-rest"), `And ${formatCount(unlisted)} more.`);
  }

  #part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }
}

function makeGroup(title, count, shown) {
  const group = document.createElement("li");
  const head = document.createElement("strong");
  head.textContent = `${title} (${formatCount(count)})`;
  const paths = document.createElement("ul");
  paths.append(...shown.map(makeLine));
  group.append(head, paths);
  return group;
}

function makeLine({ path, reason }) {
  const line = document.createElement("li");
  line.textContent = path;
  line.title = reason;
  return line;
}
