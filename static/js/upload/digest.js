// The SHA-256 of a blob, never holding more than a few megabytes of it.

import { Sha256, toHex } from "./sha256.js";

// WebCrypto is several times faster but wants the whole: only small documents go there.
const WHOLE_BYTES = 16 * 1024 * 1024;

export async function digest(blob, { subtle = globalThis.crypto?.subtle } = {}) {
  // On plain HTTP from another host there is no WebCrypto.
  if (subtle && blob.size <= WHOLE_BYTES) {
    return toHex(new Uint8Array(await subtle.digest("SHA-256", await blob.arrayBuffer())));
  }
  const sha = new Sha256();
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return sha.hex();
    sha.update(value);
  }
}
