// "Go on without dropping": the folders of an earlier drop, as far as the browser remembers them.

import { handlesOf } from "./handles.js";

// The address says that permission was given on the page before.
export const GO_ON = "#go-on";

const READ = { mode: "read" };

// Unhides `button` where this batch has remembered folders. `onGranted(handles)` follows a click
// that was answered with permission; what the person or the disk refuses goes to `onRefused`.
export async function offerRemembered(button, batch, { onGranted, onRefused }) {
  const handles = await handlesOf(batch);
  button.hidden = handles.length === 0;
  button.addEventListener("click", async () => {
    if (await areGranted(handles, (handle) => handle.requestPermission(READ))) onGranted(handles);
    else onRefused("The browser was not allowed to read the folder. Drop it again instead.");
  });
  return handles;
}

// Whether these can be read at once, without asking anybody.
export function canReadNow(handles) {
  return areGranted(handles, (handle) => handle.queryPermission(READ));
}

async function areGranted(handles, ask) {
  // One question after the other: a browser shows one at a time.
  for (const handle of handles) if ((await ask(handle)) !== "granted") return false;
  return handles.length > 0;
}
