// The running upload: three phases, the pace of the bytes, pause, resume, cancel.

import { formatBytes, formatRate } from "../format.js";
import { ProgressPanel } from "../live/progress.js";
import { Rate } from "./rate.js";

const TICK_MS = 500;

export class RunView {
  #rate = new Rate();
  #timer = null;
  #wasMoving = true;

  constructor(element, { expected, onSettled }) {
    this.element = element;
    this.onSettled = onSettled;
    this.panel = new ProgressPanel(element.querySelector("[data-progress]"), { expected });
    this.#part("pause").addEventListener("click", () => this.#toggle());
    this.#part("cancel").addEventListener("click", () => this.#cancel());
    window.addEventListener("offline", () => this.engine?.hold("offline"));
    window.addEventListener("online", () => this.engine?.release("offline"));
  }

  follow(engine) {
    this.engine = engine;
    this.#wasMoving = true;
    this.#part("controls").hidden = false;
    this.#part("closable").hidden = true;
    this.#part("unsent").hidden = true;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    if (!navigator.onLine) engine.hold("offline");
    this.#tick();
  }

  #tick() {
    const { engine } = this;
    this.#rate.add(engine.sentBytes, performance.now());
    this.#part("bytes-line").textContent = this.#bytesLine();
    this.panel.showSentShare(engine.totalBytes ? engine.sentBytes / engine.totalBytes : 0);
    this.#showPause();
    if (engine.isMoving || !this.#wasMoving) return;
    this.#wasMoving = false;
    clearInterval(this.#timer);
    this.panel.showSentShare(0);
    this.panel.expectNoMore();
    this.#part("controls").hidden = true;
    const unsent = engine.items.filter((item) => item.state === "failed").length;
    const cancelled = engine.items.some((item) => item.state === "cancelled");
    this.#part("closable").hidden = unsent > 0 || cancelled;
    this.#part("unsent").hidden = unsent === 0;
    this.onSettled();
  }

  #bytesLine() {
    const { engine } = this;
    if (engine.gate.isHeldBy("offline")) return "Offline: goes on by itself";
    if (engine.gate.isHeldBy("user")) return "Paused";
    const line = `${formatBytes(engine.sentBytes)} of ${formatBytes(engine.totalBytes)}`;
    const pace = engine.isMoving ? this.#rate.bytesPerSecond : null;
    return pace ? `${line} · ${formatRate(pace)}` : line;
  }

  #toggle() {
    if (this.engine.gate.isHeldBy("user")) this.engine.release("user");
    else this.engine.hold("user");
    this.#tick();
  }

  #showPause() {
    const paused = this.engine.gate.isHeldBy("user");
    const button = this.#part("pause");
    button.querySelector("[data-label]").textContent = paused ? "Resume" : "Pause";
    const use = button.querySelector("use");
    const sprite = use.getAttribute("href").split("#")[0];
    use.setAttribute("href", `${sprite}#${paused ? "play" : "pause"}`);
  }

  async #cancel() {
    if (!window.confirm("Cancel this batch? What is searchable stays searchable.")) return;
    this.#part("cancel").disabled = true;
    await this.engine.cancel();
    this.#tick();
  }

  #part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }
}
