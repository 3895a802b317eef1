// Brings what the server says about each document to the items of this page.

import { TROUBLED } from "../statuses.js";

const REASONS_AFTER_MS = 800;

export class StatusesFeed {
  #byId = new Map();
  #early = new Map();
  #timer = null;
  #wanted = new Set();

  constructor({ api, batch, onChange }) {
    Object.assign(this, { api, batch, onChange });
  }

  // An event may name a document before the answer that gave this page its id.
  know(item) {
    if (!item.id || this.#byId.has(item.id)) return;
    this.#byId.set(item.id, item);
    const status = this.#early.get(item.id);
    if (status) this.#set(item.id, status);
    this.#early.delete(item.id);
  }

  take(events) {
    for (const event of events) {
      if (event.kind !== "documents") continue;
      for (const id of event.documents) this.#set(id, event.to);
    }
    if (events.length > 0) this.onChange();
  }

  #set(id, status) {
    const item = this.#byId.get(id);
    if (!item) {
      this.#early.set(id, status);
      return;
    }
    // Only what the server says; `state` belongs to the engine, which counts by it.
    item.status = status;
    item.error = null;
    if (TROUBLED.has(status)) this.#askReasons(status);
  }

  #askReasons(status) {
    this.#wanted.add(status);
    this.#timer ??= setTimeout(() => this.#fetchReasons(), REASONS_AFTER_MS);
  }

  async #fetchReasons() {
    this.#timer = null;
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (const status of wanted) {
      const page = await this.api.documents(this.batch, status);
      for (const { id, error } of page.results) {
        const item = this.#byId.get(id);
        if (item && error) item.error = error.detail;
      }
    }
    this.onChange();
  }
}
