import assert from "node:assert/strict";
import { test } from "node:test";

import {
  groupByReason, isTooMuch, needsDecision, quotaSentence, spokenResult, timeFact,
} from "../../static/js/upload/preflight-words.js";

const looked = (fields = {}) => ({
  accepted: [{}], refused: [], junk: 0, bytes: 3 * 1024 ** 3, quotaLeft: null, fitsQuota: null,
  secondsEstimate: null, ...fields,
});

test("reasons that differ in name and size only are one reason", () => {
  const groups = groupByReason([
    { path: "a/empty.txt", reason: "It is empty." },
    { path: "a/big.bin", reason: "It is 4.9 KB; the limit is 2.0 KB." },
    { path: "huge.bin", reason: "huge.bin is 7.0 KB; the limit is 2.0 KB." },
  ]);

  assert.deepEqual(
    groups.map(({ title, documents }) => [title, documents.length]),
    [["Larger than the limit of 2.0 KB.", 2], ["It is empty.", 1]],
  );
});

test("it goes by itself when nothing was refused and everything fits", () => {
  const goesByItself = (fields, isGoingOn = false) => !needsDecision(looked(fields), { isGoingOn });

  assert.equal(goesByItself({}), true);
  assert.equal(goesByItself({ fitsQuota: true }), true);
  assert.equal(goesByItself({ fitsQuota: false }), false);
  assert.equal(goesByItself({ refused: [{}] }), false);
  assert.equal(goesByItself({ accepted: [] }), false);
});

test("who goes on with a batch has room for it already", () => {
  assert.equal(needsDecision(looked({ fitsQuota: false }), { isGoingOn: true }), false);
});

test("what does not fit is said in one sentence, with what to do", () => {
  const full = looked({ quotaLeft: 1024 ** 3, fitsQuota: false });

  assert.equal(isTooMuch(full), true);
  assert.equal(
    quotaSentence(full),
    "This is 3.0 GB, and the workspace has room for 1.0 GB. " +
      "Delete documents of 2.0 GB or more, or choose a smaller folder.",
  );
});

test("the time is a guess from the last pace, or a dash", () => {
  assert.equal(timeFact(null), "–");
  assert.equal(timeFact(240), "4 minutes");
});

test("the result is one sentence for somebody who hears it", () => {
  assert.equal(spokenResult(looked()), "1 document, 3.0 GB.");
  assert.equal(spokenResult(looked({ refused: [{}, {}] })), "1 document, 3.0 GB. 2 documents cannot be sent.");
});
