// What every page does: theme button, thumbnails on their way, "/" to search, menus that close, forms that ask first.

import { showPlaceholders } from "./placeholders.js";
import { bindTheme } from "./theme.js";

showPlaceholders();

for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.hidden = false;
  bindTheme(button);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const boxes = [...document.querySelectorAll("[data-search-box]")];
  const box = boxes.find((candidate) => candidate.checkVisibility());
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

for (const menu of document.querySelectorAll("[data-menu]")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

for (const control of document.querySelectorAll("[data-submit-on-change]")) {
  control.addEventListener("change", () => control.form.requestSubmit());
}
