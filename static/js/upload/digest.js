// The SHA-256 of a blob, never holding more than a few megabytes of it.

import { Sha256, toHex } from "./sha256.js";

// WebCrypto is three to four times faster but wants the whole, once in every worker of the pool.
const WHOLE_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 2 * 1024 * 1024;

export async function digest(blob, { subtle = globalThis.crypto?.subtle } = {}) {
  // On plain HTTP from another host there is no WebCrypto.
  if (subtle && blob.size <= WHOLE_BYTES) {
    return toHex(new Uint8Array(await subtle.digest("SHA-256", await blob.arrayBuffer())));
  }
  const sha = new Sha256();
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    sha.update(new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer()));
  }
  return sha.hex();
}
