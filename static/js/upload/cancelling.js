// Tells the server of documents that a person gave up, in windows.

import { WINDOW } from "./registrar.js";

export class Cancelling {
  #items = [];
  #running = null;

  constructor({ api, batch, patience, ledger }) {
    Object.assign(this, { api, batch, patience, ledger });
  }

  // Resolves when the server knows of all of them; safe to call while it is being told.
  tell(items) {
    this.#items.push(...items);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run() {
    // Those that are given up at one stroke, also one by one, are told together.
    await null;
    while (this.#items.length > 0) await this.#tell(this.#items.splice(0, WINDOW));
  }

  async #tell(items) {
    const ids = items.map(({ id }) => id);
    try {
      await this.patience.ask(
        (options) => this.api.cancelDocuments(this.batch, ids, options),
        { disregarding: ["user"] },
      );
    } catch (cause) {
      const error = `It is not sent any more, but the server was not told: ${cause.message}`;
      for (const item of items) this.ledger.change(item, { error, next: null });
    }
  }
}
