// Tells the server of bytes that arrived, in micro-batches about once a second.

import { WINDOW, askWhole, byKey, problemOf } from "./registrar.js";

const EVERY_MS = 1000;

export class Completing {
  #sent = [];
  #isBusy = false;
  #isWaiting = false;
  #isDue = false;

  // `onAnswer(item, {document} | {problem})` is called for each.
  constructor({ api, batch, patience, wait, onAnswer }) {
    Object.assign(this, { api, batch, patience, wait, onAnswer });
  }

  push(item) {
    item.place = "complete";
    this.#sent.push(item);
    if (this.#sent.length >= WINDOW) this.flush();
    else this.#flushSoon();
  }

  // Nothing more comes that would be worth waiting for.
  async flush() {
    this.#isDue = true;
    if (this.#isBusy || this.#sent.length === 0) return;
    this.#isDue = false;
    this.#isBusy = true;
    const items = this.#sent.splice(0, WINDOW).filter((item) => item.state === "sent");
    if (items.length > 0) await this.#complete(items);
    this.#isBusy = false;
    if (this.#isDue || this.#sent.length >= WINDOW) this.flush();
  }

  // The timer is set by what arrives, not by a timer before it: a hidden page gives those a minute.
  async #flushSoon() {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    await this.wait(EVERY_MS);
    this.#isWaiting = false;
    this.flush();
  }

  async #complete(items) {
    const ids = items.map((item) => item.id);
    // What is sent is told, also while a person pauses the rest.
    const answer = await askWhole(() =>
      this.patience.ask((options) => this.api.complete(this.batch, ids, options), {
        disregarding: ["user"],
      }),
    );
    const documents = byKey(answer.documents, "id");
    const errors = byKey(answer.errors, "id");
    for (const item of items) {
      const document = documents.get(item.id);
      const said = document ? { document } : { problem: problemOf(errors.get(item.id), answer) };
      this.onAnswer(item, said);
    }
  }
}
