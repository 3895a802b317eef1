// What can be done to documents of this page, and who does it: the engine as long as their bytes
// are with it, the server afterwards.

import { isHeardOf, isUnsent } from "./item-status.js";

const WINDOW = 500;

const isWithServer = (item) => item.state === "there" || isHeardOf(item);
const isWorkedOn = ({ status }) => status === "uploaded" || status === "processing";

const CAN = {
  pause: (item) => isUnsent(item) && !isHeardOf(item) && !item.paused,
  resume: (item) => isUnsent(item) && Boolean(item.paused),
  cancel: (item) => (isWithServer(item) ? isWorkedOn(item) : isUnsent(item) || item.state === "sent"),
  retry: (item) =>
    isWithServer(item) ? ["failed", "partial"].includes(item.status) : item.state === "failed",
};
const ASK_SERVER = { cancel: "cancelDocuments", retry: "retryDocuments" };

export const ACTIONS = Object.keys(CAN);

// How many of the documents each action would touch.
export function countOf(items) {
  const counts = Object.fromEntries(ACTIONS.map((action) => [action, 0]));
  for (const item of items) for (const action of ACTIONS) if (CAN[action](item)) counts[action] += 1;
  return counts;
}

// Resolves when the engine and the server have both taken it up; neither waits for the other.
export async function perform(action, items, { engine, api, batch }) {
  const touched = items.filter(CAN[action]);
  const here = touched.filter((item) => !isWithServer(item));
  const ids = touched.filter(isWithServer).map(({ id }) => id);
  await Promise.all([
    here.length > 0 && engine[action](here),
    askServer(action, ids, { api, batch }),
  ]);
}

async function askServer(action, ids, { api, batch }) {
  for (let at = 0; at < ids.length; at += WINDOW) {
    await api[ASK_SERVER[action]](batch, ids.slice(at, at + WINDOW));
  }
}
