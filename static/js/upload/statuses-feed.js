// Brings what the server says about each document to the items of this page.

import { TROUBLED, statusTold } from "../statuses.js";

const REASONS_AFTER_MS = 800;

export class StatusesFeed {
  #byId = new Map();
  #early = new Map();
  #timer = null;
  #wanted = new Set();

  // `onChange(items)` hears which items are told of otherwise than before.
  constructor({ api, batch, onChange }) {
    Object.assign(this, { api, batch, onChange });
  }

  // An event may name a document before the answer that gave this page its id.
  know(items) {
    for (const item of items) {
      if (!item.id || this.#byId.get(item.id) === item) continue;
      this.#byId.set(item.id, item);
      const status = this.#early.get(item.id);
      if (status) this.#set(item.id, status);
      this.#early.delete(item.id);
    }
  }

  take(events) {
    const changed = new Set();
    for (const event of events) {
      const status = statusTold(event);
      if (!status) continue;
      for (const id of event.documents) changed.add(this.#set(id, status));
    }
    changed.delete(null);
    if (changed.size > 0) this.onChange(changed);
  }

  #set(id, status) {
    const item = this.#byId.get(id);
    if (!item) {
      this.#early.set(id, status);
      return null;
    }
    // Only what the server says; `state` belongs to the engine, which counts by it.
    item.status = status;
    item.error = null;
    item.next = null;
    if (TROUBLED.has(status)) this.#askReasons(status);
    return item;
  }

  #askReasons(status) {
    this.#wanted.add(status);
    this.#timer ??= setTimeout(() => this.#fetchReasons(), REASONS_AFTER_MS);
  }

  async #fetchReasons() {
    this.#timer = null;
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    const changed = new Set();
    for (const status of wanted) {
      try {
        const page = await this.api.documents(this.batch, status);
        for (const told of page.results) this.#explain(told, changed);
      } catch (error) {
        if (!error.canRetry) throw error;
        this.#askReasons(status);
      }
    }
    if (changed.size > 0) this.onChange(changed);
  }

  #explain({ id, error }, changed) {
    const item = this.#byId.get(id);
    if (!item || !error || item.error === error.detail) return;
    item.error = error.detail;
    changed.add(item);
  }
}
