// Sends one document: its pieces in order, each with its tries, a fresh URL when one went stale.

import { ApiError } from "../api.js";
import { isLast, nextPiece, storedBytes } from "./parts.js";
import { GONE } from "./reading.js";
import { Tries } from "./tries.js";

// Somebody paused, or the line is down: the document waits its turn again, and no try is lost.
export const HELD = new Error("held");

// An event that the line is down may come a moment after the error that it caused.
const NEWS_MS = 100;

export class Transfer {
  #tries = new Tries();

  // `tools` are those of the sender; `signal` aborts with HELD.
  constructor(item, tools, signal) {
    Object.assign(this, { item, tools, signal });
  }

  // Returns once every byte is at the store, or the item came to another end meanwhile.
  async run() {
    const { item } = this;
    while (item.state === "sending") {
      // A pause or an outage ends this transfer; too many requests only make it wait.
      await this.tools.gate.pass(["user", "offline"]);
      this.signal.throwIfAborted();
      const piece = await this.#piece();
      if (item.state !== "sending" || piece === null) return;
      const startedAt = this.tools.now();
      try {
        await this.#put(piece);
        this.tools.onPiece();
        this.#tries.succeeded();
        if (item.state !== "sending") return;
        if (isLast(item, piece)) return;
      } catch (error) {
        if (isThere(error, piece)) return;
        await this.#failed(error, startedAt);
      }
    }
  }

  // The next piece with a URL that is worth beginning with.
  async #piece() {
    const { item, tools } = this;
    for (let asked = false; ; asked = true) {
      const isStale = item.usableUntil <= tools.now();
      const piece = isStale ? undefined : nextPiece(item);
      if (piece !== undefined) return piece;
      // The server gives URLs for no part although parts are missing.
      if (asked && !isStale) throw new ApiError({ status: 500, detail: "The server gave no URL." });
      await tools.renew(item, this.signal);
      if (item.state !== "sending") return null;
    }
  }

  #put({ upload, blob, before }) {
    const { item, tools, signal } = this;
    return tools.put(upload, blob, {
      signal,
      onProgress: (loaded) => tools.onProgress(item, before + loaded),
    });
  }

  async #failed(error, startedAt) {
    const { item, tools, signal } = this;
    // Given up meanwhile: nothing of it is left to be counted.
    if (item.state !== "sending") throw error;
    if (error.kind === "network") await this.#askWhy();
    tools.ledger.stored(item, storedBytes(item.upload, item.size));
    const ms = this.#tries.failed(error);
    if (error.status === 403) item.usableUntil = 0;
    else tools.onTrouble(error, ms, startedAt);
    if (ms === 0) return;
    await tools.rest(item, error, ms, signal);
  }

  // The browser gives one error for a lost line, a document that is gone, and going offline.
  async #askWhy() {
    const { item, tools, signal } = this;
    if (!(await tools.isReadable(item.blob))) throw new ApiError({ status: 422, detail: GONE });
    await tools.wait(NEWS_MS, signal);
    if (tools.gate.isHeldBy("offline")) throw HELD;
  }
}

// Nothing is written twice under one key: refused because the bytes are there already.
function isThere(error, { number }) {
  return error.status === 412 && number === undefined;
}
