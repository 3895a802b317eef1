// What the look before the upload found, in words. Pure functions.

import { formatBytes, formatRange, plural } from "../format.js";
import { nameOf } from "./item-status.js";

// Refused documents by reason: [{title, documents}], the most first.
// Reasons that differ in the name or in the size only are one.
export function groupByReason(refused) {
  const groups = new Map();
  for (const document of refused) {
    const shape = shapeOf(document);
    if (!groups.has(shape)) groups.set(shape, { title: titleOf(shape), documents: [] });
    groups.get(shape).documents.push(document);
  }
  return [...groups.values()].sort((one, other) => other.documents.length - one.documents.length);
}

function shapeOf({ path, reason }) {
  const unnamed = reason.replaceAll(path, "It").replaceAll(nameOf(path), "It");
  return unnamed.replace(/^It is [^;]*; the limit is /, "It is more; the limit is ");
}

function titleOf(shape) {
  return shape.replace(/^It is more; the limit is /, "Larger than the limit of ");
}

// Nothing was refused and everything fits: it simply goes. Who goes on with a batch has room for
// it already, since registering keeps it free.
export function needsDecision(preflight, { isGoingOn }) {
  if (preflight.accepted.length === 0 || preflight.refused.length > 0) return true;
  return !isGoingOn && isTooMuch(preflight);
}

// Unknown room is no hindrance: the server decides, window by window.
export function isTooMuch({ fitsQuota }) {
  return fitsQuota === false;
}

export function quotaSentence({ bytes, quotaLeft }) {
  const missing = formatBytes(bytes - quotaLeft);
  return (
    `This is ${formatBytes(bytes)}, and the workspace has room for ${formatBytes(quotaLeft)}. ` +
    `Delete documents of ${missing} or more, or choose a smaller folder.`
  );
}

export function roomFact(quotaLeft) {
  return quotaLeft === null ? "–" : formatBytes(quotaLeft);
}

export function timeFact(secondsEstimate) {
  if (secondsEstimate === null) return "–";
  return formatRange([secondsEstimate, secondsEstimate]).replace(/^About (.*) left$/, "$1");
}

// The whole of it in one sentence, for somebody who hears it.
export function spokenResult(preflight) {
  const { accepted, refused, bytes } = preflight;
  const found = `${plural(accepted.length, "document")}, ${formatBytes(bytes)}.`;
  if (refused.length === 0) return found;
  return `${found} ${plural(refused.length, "document")} cannot be sent.`;
}
