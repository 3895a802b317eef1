// The whole page takes a drop; buttons open the pickers.

import { handlesOfDrop } from "./handles.js";
import { entriesOf, walkEntries, walkPicked } from "./walk.js";

// `onDrop({walk, handles})`: what to walk, and a promise of handles by which it can be read again
// on a later visit; of none where the browser has none to give.
export function bindDropZone(root, onDrop) {
  bindDrag((dataTransfer) => {
    // Both must be asked for while the event runs.
    const handles = handlesOfDrop(dataTransfer);
    onDrop({ walk: walkEntries(entriesOf(dataTransfer)), handles });
  });
  for (const input of root.querySelectorAll("input[type=file]")) bindPicker(root, input, onDrop);
}

export function bindDrag(onDrop) {
  let depth = 0;
  const show = (dragging) => document.documentElement.classList.toggle("dragging", dragging);
  const on = (kind, act) =>
    window.addEventListener(kind, (event) => {
      if ([...(event.dataTransfer?.types ?? [])].includes("Files")) act(event);
    });

  on("dragenter", () => {
    depth += 1;
    show(true);
  });
  on("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) show(false);
  });
  on("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  on("drop", (event) => {
    event.preventDefault();
    depth = 0;
    show(false);
    onDrop(event.dataTransfer);
  });
}

function bindPicker(root, input, onDrop) {
  const opener = root.querySelector(`[data-pick="${input.id}"]`);
  opener.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const picked = [...input.files];
    // The same folder can be picked again only when the input forgets it.
    input.value = "";
    if (picked.length > 0) onDrop({ walk: walkPicked(picked), handles: Promise.resolve([]) });
  });
}
