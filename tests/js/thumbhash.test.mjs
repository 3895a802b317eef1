import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeThumbHash } from "../../static/js/thumbhash.js";

// What tests/processing/test_previews.py makes of a picture, red on the left and blue on the right.
const HALVES = Uint8Array.from(Buffer.from("94b602ac9c5a1b1f88888887888a8f88f88888", "hex"));

test("a placeholder has the shape of its picture", () => {
  const { width, height, pixels } = decodeThumbHash(HALVES);

  assert.equal(width, 32);
  assert.ok(height > 12 && height < 24);
  assert.equal(pixels.length, width * height * 4);
});

test("a placeholder has the colours where the picture has them", () => {
  const { width, height, pixels } = decodeThumbHash(HALVES);
  const middle = Math.floor(height / 2) * width;
  const [left, right] = [middle + 3, middle + width - 4].map((at) => [...pixels.slice(at * 4, at * 4 + 4)]);

  assert.ok(left[0] > 140 && left[2] < 90, String(left));
  assert.ok(right[2] > 140 && right[0] < 90, String(right));
  assert.equal(left[3], 255);
});
