// Shows how a thumbnail looks from afar until it is there.

import { decodeThumbHash } from "./thumbhash.js";

export function showPlaceholders(root = document) {
  for (const frame of root.querySelectorAll("[data-placeholder]")) {
    const image = frame.querySelector("img");
    const { placeholder } = frame.dataset;
    delete frame.dataset.placeholder;
    if (!image || image.complete || !placeholder) continue;
    const canvas = drawn(placeholder);
    frame.prepend(canvas);
    for (const name of ["load", "error"]) {
      image.addEventListener(name, () => canvas.remove(), { once: true });
    }
  }
}

function drawn(placeholder) {
  const bytes = Uint8Array.from(atob(placeholder), (character) => character.charCodeAt(0));
  const { width, height, pixels } = decodeThumbHash(bytes);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.setAttribute("aria-hidden", "true");
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}
