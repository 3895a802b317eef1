import assert from "node:assert/strict";
import { test } from "node:test";

import { formatBytes, formatRange, plural } from "../../static/js/format.js";

test("bytes are shown in the largest unit that stays above one", () => {
  assert.equal(formatBytes(999), "999 B");
  assert.equal(formatBytes(1536), "1.5 KB");
  assert.equal(formatBytes(524288000), "500 MB");
});

test("an estimate is a range", () => {
  assert.equal(formatRange([130, 290]), "2–5 minutes left");
  assert.equal(formatRange([20, 90]), "20 seconds to 2 minutes left");
  assert.equal(formatRange([60, 70]), "About 1 minute left");
});

test("without an estimate the page says so", () => {
  assert.equal(formatRange(null), "No estimate yet");
});

test("one document is not several", () => {
  assert.equal(plural(1, "document"), "1 document");
  assert.equal(plural(2000, "document"), "2,000 documents");
});
