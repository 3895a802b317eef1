// How fast documents and bytes go, how long the rest takes, and what the last visit reached.

import { Rate } from "./rate.js";

const LONG_MS = 60000;
const KEY = "sluice.upload.pace";
// Less than this was over before it had a pace.
const LEAST_BYTES = 1024 * 1024;
const LEAST_SECONDS = 2;
const LONGEST_GAP_MS = 3000;

export class Pace {
  #bytes = new Rate();
  #documents = new Rate();
  #long = new Rate({ windowMs: LONG_MS });
  #started = null;
  #flowingMs = 0;

  add({ bytes, documents }, now) {
    this.#started ??= { bytes, documents };
    this.#bytes.add(bytes, now);
    this.#long.add(bytes, now);
    this.#documents.add(documents, now);
    // A pause is no part of the pace.
    this.#flowingMs += Math.min(now - (this.latest?.now ?? now), LONGEST_GAP_MS);
    this.latest = { bytes, documents, now };
  }

  pause() {
    for (const rate of [this.#bytes, this.#documents, this.#long]) rate.forget();
  }

  get bytesPerSecond() {
    return this.#bytes.perSecond;
  }

  get documentsPerSecond() {
    return this.#documents.perSecond;
  }

  // A range, because the pace of the last seconds and that of the last minute differ.
  secondsLeft(bytes) {
    const paces = [this.#bytes.perSecond, this.#long.perSecond].filter((pace) => pace > 0);
    if (paces.length === 0) return null;
    return [(0.9 * bytes) / Math.max(...paces), (1.25 * bytes) / Math.min(...paces)];
  }

  // What the whole run came to, for the estimate of the next; null when it was too short.
  get total() {
    if (!this.#started) return null;
    const seconds = this.#flowingMs / 1000;
    const bytes = this.latest.bytes - this.#started.bytes;
    const documents = this.latest.documents - this.#started.documents;
    if (seconds < LEAST_SECONDS || bytes < LEAST_BYTES) return null;
    return { bytesPerSecond: bytes / seconds, documentsPerSecond: documents / seconds };
  }
}

// A browser may refuse to store anything; then the next visit has no estimate.
export function rememberPace(pace, storage = localStorageOrNull()) {
  try {
    storage?.setItem(KEY, JSON.stringify(pace));
  } catch {
    // Full, or forbidden: an estimate is not worth an error.
  }
}

// Seconds that so much would take at the remembered pace, or null.
export function estimateSeconds({ bytes, documents }, storage = localStorageOrNull()) {
  try {
    const pace = JSON.parse(storage?.getItem(KEY) ?? "null");
    const seconds = Math.max(bytes / pace.bytesPerSecond, documents / pace.documentsPerSecond);
    return Number.isFinite(seconds) ? seconds : null;
  } catch {
    return null;
  }
}

function localStorageOrNull() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
