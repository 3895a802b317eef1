// The whole page takes a drop; two buttons open the pickers.

import { entriesOf, walkEntries, walkPicked } from "./walk.js";

export function bindDropZone(root, onWalk) {
  let depth = 0;
  const show = (dragging) => document.documentElement.classList.toggle("dragging", dragging);
  const carriesDocuments = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

  window.addEventListener("dragenter", (event) => {
    if (!carriesDocuments(event)) return;
    depth += 1;
    show(true);
  });
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) show(false);
  });
  window.addEventListener("dragover", (event) => {
    if (!carriesDocuments(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("drop", (event) => {
    if (!carriesDocuments(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    onWalk(walkEntries(entriesOf(event.dataTransfer)));
  });

  for (const input of root.querySelectorAll("input[type=file]")) {
    const opener = root.querySelector(`[data-pick="${input.id}"]`);
    opener.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const picked = [...input.files];
      // The same folder can be picked again only when the input forgets it.
      input.value = "";
      if (picked.length > 0) onWalk(walkPicked(picked));
    });
  }
}
