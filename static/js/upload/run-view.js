// The running upload: three phases, the pace, what it waits for; pause, resume and cancel all.

import { ProgressPanel } from "../live/progress.js";
import { write } from "./item-row.js";
import { LeaveGuard } from "./leave-guard.js";
import {
  bytesSentence, canClose, outcomeSentence, phaseOf, runSentence, spokenSentence, turnSentence,
} from "./run-words.js";
import { Tally } from "./tally.js";

const TICK_MS = 500;

export class RunView {
  #guard = new LeaveGuard();
  #tally = new Tally();
  #timer = null;
  #phase = null;

  // `onAllSent()` follows when everything of it arrived.
  constructor(element, { engine, expected, onError, onAllSent }) {
    Object.assign(this, { element, engine, onError, onAllSent });
    this.panel = new ProgressPanel(element.querySelector("[data-progress]"), { expected });
    this.narrator = this.panel.narrator;
    this.#part("pause").addEventListener("click", () => this.#toggle());
    this.#part("cancel").addEventListener("click", () => this.#cancel());
    this.#part("send-again").addEventListener("click", () => this.act(() => engine.retry()));
  }

  // The engine moved: look twice a second for as long as it does.
  changed(items) {
    this.#tally.note(items);
    if (this.#timer === null && this.engine.isMoving) this.#tick();
  }

  // Does what a person asked for; what goes wrong is said, and the page shows how it stands.
  async act(action) {
    try {
      await action();
    } catch (error) {
      this.onError(error);
    }
    this.#tick();
  }

  #tick() {
    const { engine } = this;
    const phase = phaseOf(engine);
    clearTimeout(this.#timer);
    this.#timer = phase === "ended" ? null : setTimeout(() => this.#tick(), TICK_MS);
    this.#guard.set(engine.isMovingBytes);
    this.#showWords();
    this.#showPause();
    this.panel.isQuiet = engine.isMoving;
    this.panel.showSentShare(engine.totalBytes ? engine.sentBytes / engine.totalBytes : 0);
    this.#part("controls").hidden = phase === "ended";
    if (phase === "ended") this.#end();
    else this.#narrate(phase);
    this.#phase = phase;
  }

  #showWords() {
    const { engine } = this;
    const sentence = runSentence(engine, Date.now());
    write(this.#part("run-line"), sentence);
    this.#part("run-line").hidden = sentence === "";
    this.#part("run-line").dataset.waits = String(Boolean(engine.waitingFor));
    write(this.#part("bytes-line"), bytesSentence(engine));
    this.#part("closable").hidden = !canClose(engine) || engine.counts.failed > 0;
    this.#part("unsent").hidden = engine.isMovingBytes || engine.counts.failed === 0;
  }

  #narrate(phase) {
    const turn = phase === this.#phase ? null : turnSentence(this.#phase, this.engine);
    if (turn) this.narrator.tellEnd(turn);
    else this.narrator.tell(spokenSentence(this.engine));
  }

  #end() {
    this.panel.showSentShare(0);
    this.panel.expectNoMore();
    const outcome = this.#tally.of(this.engine);
    const sentence = outcomeSentence(outcome);
    if (outcome.failed + outcome.cancelled === 0) this.onAllSent();
    for (const line of this.element.querySelectorAll("[data-outcome-line]")) write(line, sentence);
    const close = canClose(this.engine) ? " You can close this tab." : "";
    this.narrator.tellEnd(`${sentence}${close}`);
  }

  get #isPaused() {
    return this.engine.waitingFor?.kind === "user";
  }

  #toggle() {
    this.act(() => (this.#isPaused ? this.engine.resume() : this.engine.pause()));
  }

  #cancel() {
    if (!window.confirm("Cancel this batch? What is searchable stays searchable.")) return;
    this.act(() => this.engine.cancel());
  }

  #showPause() {
    const button = this.#part("pause");
    write(button.querySelector("[data-label]"), this.#isPaused ? "Resume" : "Pause");
    const use = button.querySelector("use");
    const icon = `${use.getAttribute("href").split("#")[0]}#${this.#isPaused ? "play" : "pause"}`;
    if (use.getAttribute("href") !== icon) use.setAttribute("href", icon);
  }

  #part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }
}
