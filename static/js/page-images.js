// Pictures of pages are drawn when somebody looks: one that is not there yet is asked for again,
// and where there is none its place goes to the text.

import { retryDelay, sleep } from "./backoff.js";

const TRIES = 5;
const ASK = { credentials: "same-origin", redirect: "manual", cache: "no-store" };

// Errors of images do not bubble; those of images that come later are heard here, too.
export function watchPageImages(root) {
  root.addEventListener("error", (event) => found(event.target), true);
  for (const image of root.querySelectorAll("[data-page-image] img")) {
    // It may have failed before anybody listened. Of those far away none has been asked for.
    if (image.complete && image.naturalWidth === 0 && isInSight(image)) found(image);
  }
}

function found(image) {
  const frame = image.closest?.("[data-page-image]");
  if (!frame || frame.dataset.pageImage === "asked") return;
  frame.dataset.pageImage = "asked";
  bring(frame.getAttribute("href")).then((isThere) => {
    frame.hidden = !isThere;
    if (isThere) image.src = `${frame.getAttribute("href")}?again`;
  });
}

function isInSight(image) {
  const { top, bottom } = image.getBoundingClientRect();
  return top < window.innerHeight && bottom > 0;
}

// Returns whether the picture is there, after as many looks as it takes.
export async function bring(address, { fetch = globalThis.fetch, wait = sleep, random = Math.random } = {}) {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const answer = await fetch(address, ASK).catch(() => null);
    if (answer && (answer.ok || answer.type === "opaqueredirect")) return true;
    if (answer && answer.status !== 429 && answer.status < 500) return false;
    const seconds = answer?.headers.get("Retry-After");
    await wait(retryDelay({ retryAfterMs: seconds ? Number(seconds) * 1000 : null }, attempt, { random }));
  }
  return false;
}
