// "Go on without dropping": the folders of an earlier drop, as far as the browser remembers them.

import { handlesOf, resumeHandles } from "./handles.js";

// The address says that permission was given on the page before.
export const GO_ON = "#go-on";

// Unhides `button` where this batch has remembered folders, and returns these. A click asks for
// permission: `onGranted(handles)` gets what may be read, `onRefused(sentence)` follows when nothing may.
export async function offerRemembered(button, batch, { onGranted, onRefused }) {
  const handles = await handlesOf(batch);
  button.hidden = handles.length === 0;
  button.addEventListener("click", async () => {
    const allowed = await resumeHandles(batch);
    if (allowed.length > 0) onGranted(allowed);
    else onRefused("The browser may not read the folder. Drop it again instead.");
  });
  return handles;
}

// Those of the handles that can be read at once, without asking anybody.
export async function readableNow(handles) {
  const states = await Promise.all(handles.map((handle) => handle.queryPermission({ mode: "read" })));
  return handles.filter((_, index) => states[index] === "granted");
}
