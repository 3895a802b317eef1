// The word, the tone and the second line of one document on the upload page.

import { formatBytes } from "../format.js";
import { STATUSES } from "../statuses.js";

const STATES = {
  queued: { label: "Waiting", tone: "wait" },
  checking: { label: "Checking", tone: "work" },
  registered: { label: "In line", tone: "wait" },
  sending: { label: "Uploading", tone: "work" },
  sent: { label: "Uploaded", tone: "wait" },
  refused: { label: "Refused", tone: "bad" },
  failed: { label: "Not sent", tone: "bad" },
  cancelled: { label: "Cancelled", tone: "wait" },
};
const PAUSED = { label: "Paused", tone: "wait" };
const UNSENT = new Set(["queued", "checking", "registered", "sending"]);
const WORKED_ON = new Set(["uploaded", "processing"]);
const DONE = new Set(["ready", "partial", "duplicate"]);

export function itemStatus(item) {
  if (item.state === "there" || isHeardOf(item)) return STATUSES[item.status] ?? STATUSES.uploaded;
  if (item.paused && isUnsent(item)) return PAUSED;
  return STATES[item.state];
}

// The server has told of it since its bytes arrived; its events may overtake its answers.
export function isHeardOf({ status }) {
  return status !== null && status !== "awaiting";
}

// Bytes of it are still to leave this page.
export function isUnsent({ state }) {
  return UNSENT.has(state);
}

export function isTroubled(item) {
  const { tone } = itemStatus(item);
  return tone === "bad" || tone === "warn";
}

export function isMoving(item) {
  if (WORKED_ON.has(item.status)) return item.state !== "cancelled";
  return (isUnsent(item) || item.state === "sent") && !isHeardOf(item);
}

// Nothing more happens to it, and it is found.
export function isDone({ status }) {
  return DONE.has(status);
}

// Why it does not go on, and what happens next; while it is sent, how far that is.
export function secondLine(item) {
  if (item.error) return item.next ? `${item.error} ${item.next}` : item.error;
  if (item.state !== "sending" || item.loaded === 0) return "";
  return `${formatBytes(item.loaded)} of ${formatBytes(item.blob.size)}`;
}

export function folderOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
