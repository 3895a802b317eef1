import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { digest } from "../../static/js/upload/digest.js";
import { Sha256 } from "../../static/js/upload/sha256.js";

const expected = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("every length around a block hashes as node does", () => {
  for (let length = 0; length <= 200; length += 1) {
    const bytes = randomBytes(length);
    assert.equal(new Sha256().update(bytes).hex(), expected(bytes), `length ${length}`);
  }
});

test("pieces of any size hash as the whole", () => {
  const bytes = randomBytes(100_000);
  for (const piece of [1, 3, 63, 64, 65, 1000, 65536]) {
    const sha = new Sha256();
    for (let at = 0; at < bytes.length; at += piece) sha.update(bytes.subarray(at, at + piece));
    assert.equal(sha.hex(), expected(bytes), `pieces of ${piece}`);
  }
});

test("a blob hashes the same with WebCrypto and without", async () => {
  const bytes = randomBytes(300_000);
  const blob = new Blob([bytes]);
  assert.equal(await digest(blob), expected(bytes));
  assert.equal(await digest(blob, { subtle: null }), expected(bytes));
});

test("a large blob is read in pieces, never whole", async () => {
  const bytes = randomBytes(9 * 1024 * 1024 + 7);
  const blob = new Blob([bytes]);
  blob.arrayBuffer = () => assert.fail("read whole");

  assert.equal(await digest(blob), expected(bytes));
});
