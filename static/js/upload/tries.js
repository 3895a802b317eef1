// What a failed PUT means, and how often it is worth another.

import { ApiError } from "../api.js";
import { retryDelay } from "../backoff.js";

const TRIES = 5;
// Refusals that S3 asks to be repeated: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
const PASSING_STATUSES = new Set([408, 409, 425]);
const PASSING_CODES = new Set(["RequestTimeout", "OperationAborted", "ConditionalRequestConflict"]);

export class Tries {
  #failed = 0;
  #isFresh = false;

  // Notes a failure; returns the milliseconds to wait, or throws what ends the document. A 403 is
  // a URL that went stale, and free; only when a fresh one is refused too has a try failed.
  failed(error) {
    if (!(error instanceof ApiError)) throw error;
    const isRefused = error.status === 403;
    if (isRefused && !this.#isFresh) {
      this.#isFresh = true;
      return 0;
    }
    this.#failed += 1;
    if (this.#failed >= TRIES || !(isRefused || isPassing(error))) throw error;
    return retryDelay(error, this.#failed - 1);
  }

  // A part went well: the next one has all its tries.
  succeeded() {
    this.#failed = 0;
    this.#isFresh = false;
  }
}

function isPassing(error) {
  return error.canRetry || PASSING_STATUSES.has(error.status) || PASSING_CODES.has(error.code);
}
