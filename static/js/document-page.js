// The document page renews itself while its stages run.

import { watchPageImages } from "./page-images.js";
import { showPlaceholders } from "./placeholders.js";

const POLL_MS = 2000;
const root = document.querySelector("[data-document]");

watchPageImages(root);

async function renew() {
  if (document.hidden) return;
  const response = await fetch(location.href, { credentials: "same-origin" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const region of root.querySelectorAll("[data-fresh]")) {
    const other = fresh.querySelector(`[data-fresh="${region.dataset.fresh}"]`);
    if (other && !region.isEqualNode(other)) region.replaceWith(other);
    if (other) showPlaceholders(other);
  }
  root.dataset.active = fresh.querySelector("[data-document]").dataset.active;
  if (root.dataset.active !== "true") clearInterval(timer);
}

const timer = root.dataset.active === "true" ? setInterval(() => renew().catch(() => {}), POLL_MS) : null;
