// The word, the tone and the second line of one document on the upload page.

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
const MOVING = new Set(["queued", "checking", "registered", "sending", "sent"]);

export function itemStatus(item) {
  if (item.state === "there" || isHeardOf(item)) return STATUSES[item.status] ?? STATUSES.uploaded;
  return STATES[item.state];
}

// The server has told of it since its bytes arrived; its events may overtake its answers.
export function isHeardOf({ status }) {
  return status !== null && status !== "awaiting";
}

export function isTroubled(item) {
  return ["bad", "warn"].includes(itemStatus(item).tone);
}

export function isMoving(item) {
  return (MOVING.has(item.state) && !isHeardOf(item)) || ["uploaded", "processing"].includes(item.status);
}

export function folderOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
