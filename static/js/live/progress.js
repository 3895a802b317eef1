// Puts a Progress object into the panel that the server rendered. Never counts by itself.

import { formatCount, formatRange, plural } from "../format.js";
import { Narrator } from "./narrator.js";

const PHASES = ["uploading", "processing", "searchable"];

export function isSettled(progress) {
  const { awaiting, uploaded, processing } = progress.counts;
  return progress.total > 0 && awaiting + uploaded + processing === 0;
}

// One short sentence for a screen reader, and for nobody else.
export function summary(progress) {
  const { phases, counts } = progress;
  if (isSettled(progress)) {
    const failed = counts.failed + counts.rejected;
    const trouble = failed ? `, ${formatCount(failed)} failed` : "";
    return `Finished: ${plural(phases.searchable[0], "document")} searchable${trouble}.`;
  }
  const [searchable, total] = phases.searchable;
  return `${formatCount(searchable)} of ${plural(total, "document")} searchable.`;
}

export function paceSentence(progress) {
  if (isSettled(progress)) return "Finished";
  return formatRange(progress.eta_seconds);
}

export class ProgressPanel {
  // While somebody else tells how it goes, this panel is not read out.
  isQuiet = false;
  #wasSettled = null;
  #last = null;
  #sentShare = 0;

  // `expected` documents will come although the server has not heard of all of them yet.
  constructor(element, { expected = 0, narrator = null } = {}) {
    this.element = element;
    this.narrator = narrator ?? new Narrator(element.querySelector("[data-spoken]"));
    this.expected = expected;
    if (expected) for (const name of PHASES) this.#showPhase(name, [0, 0], expected);
  }

  expectNoMore() {
    this.expected = 0;
    if (this.#last) this.show(this.#last);
  }

  // Bytes on their way fill the first bar before their documents count.
  showSentShare(share) {
    this.#sentShare = share;
    if (this.#last) this.show(this.#last);
  }

  show(progress) {
    this.#last = progress;
    const unheard = Math.max(0, this.expected - progress.total);
    for (const name of PHASES) this.#showPhase(name, progress.phases[name], unheard);
    this.#text("[data-eta]", paceSentence(progress));
    const rate = Math.round(progress.documents_per_minute ?? 0);
    const settled = isSettled(progress);
    this.#text("[data-rate]", rate && !settled ? `${plural(rate, "document")} a minute` : "");
    this.#text("[data-position]", this.#position(progress));
    for (const part of this.element.querySelectorAll("[data-outcome]")) {
      const count = progress.counts[part.dataset.outcome] ?? 0;
      part.hidden = count === 0;
      part.querySelector("[data-count]").textContent = formatCount(count);
    }
    this.#speak(progress, settled);
  }

  #showPhase(name, [done, total], unheard) {
    const phase = this.element.querySelector(`[data-phase="${name}"]`);
    const whole = total + unheard;
    phase.querySelector("[data-done]").textContent = formatCount(done);
    phase.querySelector("[data-total]").textContent = formatCount(whole);
    const bar = phase.querySelector("progress");
    bar.max = Math.max(1, whole);
    bar.value = name === "uploading" ? Math.max(done, this.#sentShare * whole) : done;
  }

  #position(progress) {
    if (!progress.position || isSettled(progress)) return "";
    return `${plural(progress.position, "document")} ahead in the queue`;
  }

  #text(selector, text) {
    const element = this.element.querySelector(selector);
    if (!element) return;
    if (element.textContent !== text) element.textContent = text;
    element.hidden = text === "";
  }

  #speak(progress, settled) {
    const finishedNow = settled && this.#wasSettled === false;
    const first = this.#wasSettled === null;
    this.#wasSettled = settled;
    if (first || this.isQuiet || progress.total === 0) return;
    if (finishedNow) this.narrator.tellEnd(summary(progress));
    else if (!settled) this.narrator.tell(summary(progress));
  }
}
