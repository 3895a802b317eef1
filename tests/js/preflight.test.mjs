import assert from "node:assert/strict";
import { test } from "node:test";

import { isJunk } from "../../static/js/upload/junk.js";
import { refusePath } from "../../static/js/upload/paths.js";
import { Preflight } from "../../static/js/upload/preflight.js";

const found = (path, size = 10) => ({ path, blob: { size } });

test("what a system leaves behind is junk, and nothing else is", () => {
  for (const path of ["a/.DS_Store", "Thumbs.db", "x/desktop.ini", "p/node_modules/i.js",
    ".git/HEAD", "__MACOSX/._a.pdf", "a/._b.pdf", "~$letter.docx"]) {
    assert.equal(isJunk(path), true, path);
  }
  for (const path of ["a.pdf", "git/readme.md", "my node_modules.txt", ".hidden"]) {
    assert.equal(isJunk(path), false, path);
  }
});

test("empty and oversized documents are refused with the reason", () => {
  const preflight = new Preflight({ maxBytes: 2048 });
  preflight.add(found("empty.txt", 0));
  preflight.add(found("big.bin", 5000));
  preflight.add(found("fine.txt", 2048));

  assert.deepEqual(preflight.refused, [
    { path: "empty.txt", reason: "It is empty." },
    { path: "big.bin", reason: "It is 4.9 KB; the limit is 2.0 KB." },
  ]);
  assert.equal(preflight.bytes, 2048);
});

test("paths the server would refuse are refused here", () => {
  assert.match(refusePath("a/../b"), /dotted/);
  assert.match(refusePath("a//b"), /empty/);
  assert.match(refusePath("a/\u0000b"), /control/);
  assert.match(refusePath(`a/${"ü".repeat(128)}`), /255 bytes/);
  assert.match(refusePath(`${"a/".repeat(600)}b`), /1024 characters/);
  assert.equal(refusePath(`a/${"x".repeat(255)}`), null);
});

test("the same path twice counts once", () => {
  const preflight = new Preflight();
  preflight.add(found("a.txt"));
  preflight.add(found("a.txt"));

  assert.equal(preflight.accepted.length, 1);
});

test("one folder names the batch, several do not", async () => {
  async function* walk(...paths) {
    for (const path of paths) yield found(path);
  }

  assert.equal((await new Preflight().read(walk("Reports/b.txt", "Reports/a.txt"))).name, "Reports");
  assert.equal((await new Preflight().read(walk("Reports/a.txt", "b.txt"))).name, "");
  assert.equal((await new Preflight().read(walk("b.txt"))).name, "");
});
