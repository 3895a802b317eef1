// Hashes one item, and decides what it means when that does not work.

import { HashingUnavailable } from "./hasher.js";
import { keyOfChanged } from "./item.js";
import { GONE } from "./reading.js";

// Returns why the item cannot be sent, or null. One that nobody could hash goes without, unless
// its hash was to be its name.
export async function hashItem(item, hash) {
  try {
    item.sha256 = await hash(item.blob);
  } catch (error) {
    if (!(error instanceof HashingUnavailable)) return GONE;
    if (item.key === null) return error.message;
    item.isHashable = false;
  }
  item.key ??= keyOfChanged(item);
  return null;
}
