// The rows that the server rendered: states change at once, the rest is fetched as the server
// would render it now. So there is one way a row looks, and it is a template.

import { showPlaceholders } from "../placeholders.js";
import { TROUBLED, showStatus, statusTold } from "../statuses.js";

const REFRESH_EVERY_MS = 1500;

// A row in sight has a thumbnail from now on.
function isDrawn({ kind, stage, state, document: id }) {
  return kind === "stage" && stage === "preview" && state === "done" && isShown(id);
}

function isShown(id) {
  return document.getElementById(`document-${id}`) !== null;
}

export class Rows {
  #timer = null;

  constructor(root, { fetch = globalThis.fetch.bind(globalThis) } = {}) {
    this.root = root;
    this.fetch = fetch;
  }

  take(events) {
    for (const event of events) {
      // What was deleted is not named: the page is asked what is left.
      if (event.kind === "deleted" || isDrawn(event)) this.refreshSoon();
      const status = statusTold(event);
      if (!status) continue;
      for (const id of event.documents) this.#show(id, status);
    }
  }

  refreshSoon() {
    this.#timer ??= setTimeout(() => this.#refresh(), REFRESH_EVERY_MS);
  }

  #show(id, status) {
    const row = document.getElementById(`document-${id}`);
    if (row) showStatus(row.querySelector("[data-status]"), status);
    // A new row, a reason, a filter that no longer fits: the server knows how that looks.
    if (!row || TROUBLED.has(status) || this.root.dataset.filtered) this.refreshSoon();
  }

  async #refresh() {
    try {
      const response = await this.fetch(globalThis.location.href, { credentials: "same-origin" });
      if (response.ok) this.#replace(await response.text());
    } catch {
      // The feed says that the line is down, and its next restart comes back here.
    } finally {
      this.#timer = null;
    }
  }

  #replace(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const region of this.root.querySelectorAll("[data-fresh]")) {
      const other = fresh.querySelector(`[data-fresh="${region.dataset.fresh}"]`);
      if (!other || region.isEqualNode(other) || region.contains(document.activeElement)) continue;
      region.replaceChildren(...other.childNodes);
      showPlaceholders(region);
    }
  }
}
