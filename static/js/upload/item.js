// One document of this upload as the page holds it, and the states it goes through.
//
// `state` goes queued → checking → registered → sending → sent → there, or ends refused, failed or
// cancelled. `status` is the server's word. `place` is the line it stands in, or null when nobody
// has it: then it was paused, or it ended.

export const STATES = [
  "queued", "checking", "registered", "sending", "sent", "there", "refused", "failed", "cancelled",
];
export const FINAL = new Set(["there", "refused", "failed", "cancelled"]);
// Bytes that the store does not have yet, and that closing the page would leave behind.
export const UNSENT = new Set(["queued", "checking", "registered", "sending"]);

export function makeItem({ path, blob }) {
  return {
    path, blob, size: blob.size,
    state: "queued", loaded: 0, paused: false, error: null, next: null, status: null, id: null,
    // The client key; null while it waits for the hash that will make it up.
    key: path, isTyped: true, sha256: null, isHashable: true,
    upload: null, usableUntil: 0, place: null, sentAgain: false,
  };
}

// Bytes that changed since they were listed are another document at the same path.
export function keyOfChanged({ path, sha256 }) {
  return `${path}#${sha256.slice(0, 16)}`;
}

export function isFinal({ state }) {
  return FINAL.has(state);
}

// The server knows of it, or will under a key that is made up of its hash.
export function isListed({ id, key, path }) {
  return id !== null || key !== path;
}

export function isHashed({ sha256, isHashable }) {
  return sha256 !== null || !isHashable;
}
