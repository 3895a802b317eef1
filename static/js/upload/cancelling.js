// Tells the server of documents that a person gave up, in windows.

import { WINDOW } from "./registrar.js";

export class Cancelling {
  #ids = [];
  #running = null;

  constructor({ api, batch, patience, onFailed }) {
    Object.assign(this, { api, batch, patience, onFailed });
  }

  // Resolves when the server knows of all of them; safe to call while it is being told.
  tell(ids) {
    this.#ids.push(...ids);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run() {
    // Those that are given up at one stroke, also one by one, are told together.
    await null;
    while (this.#ids.length > 0) {
      const ids = this.#ids.splice(0, WINDOW);
      try {
        await this.patience.ask(
          (options) => this.api.cancelDocuments(this.batch, ids, options),
          { disregarding: ["user"] },
        );
      } catch (error) {
        this.onFailed(ids, error);
      }
    }
  }
}
