import assert from "node:assert/strict";
import { test } from "node:test";

import { Breath } from "../../static/js/upload/breath.js";
import { isJunk } from "../../static/js/upload/junk.js";
import { refusePath } from "../../static/js/upload/paths.js";
import { Preflight } from "../../static/js/upload/preflight.js";
import { walkPicked } from "../../static/js/upload/walk.js";

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

test("the page breathes while thousands are read", async () => {
  let at = 0;
  let rests = 0;
  const breath = new Breath({ sliceMs: 12, now: () => (at += 0.1), rest: async () => (rests += 1) });
  const blobs = Array.from({ length: 5000 }, (_, n) => ({ name: `${n}.txt`, size: 1 }));

  const preflight = await new Preflight({ breath }).read(walkPicked(blobs));

  assert.equal(preflight.count, 5000);
  assert.ok(rests >= 40, String(rests));
});

test("a rest lets everything else that waits have its turn", async () => {
  const breath = new Breath({ sliceMs: 0 });
  let hadTurn = false;
  setImmediate(() => (hadTurn = true));

  for (let n = 0; n < 50 && !hadTurn; n += 1) await breath.take();

  assert.equal(hadTurn, true);
});

test("the server is asked in windows, without hashes, and what it refuses is left out", async () => {
  const preflight = new Preflight();
  for (let n = 0; n < 1200; n += 1) preflight.add(found(`${n}.txt`));
  preflight.add(found("film.mp4", 500));
  const windows = [];
  const api = {
    preflight: async (batch, documents) => {
      windows.push([batch, documents.length, Object.keys(documents[0])]);
      const refused = documents.filter(({ path }) => path.endsWith(".mp4"))
        .map(({ path }) => ({ path, code: "type_refused", detail: "It is a film." }));
      return { accepted: 0, duplicates: [], refused, quota_left: 12_100 };
    },
  };
  assert.deepEqual([preflight.quotaLeft, preflight.fitsQuota], [null, null]);

  await preflight.askServer(api, "b");

  assert.deepEqual(windows, [500, 500, 201].map((count) => ["b", count, ["path", "size"]]));
  assert.deepEqual(preflight.refused, [
    { path: "film.mp4", reason: "It is a film.", code: "type_refused" },
  ]);
  assert.deepEqual([preflight.count, preflight.bytes], [1200, 12_000]);
  assert.deepEqual([preflight.quotaLeft, preflight.fitsQuota], [12_100, true]);
});

test("the time it takes is estimated from the last visit, or not at all", () => {
  const preflight = new Preflight();
  preflight.add(found("a.txt", 3_000_000));
  assert.equal(preflight.secondsEstimate, null);

  const kept = JSON.stringify({ bytesPerSecond: 1_000_000, documentsPerSecond: 50 });
  globalThis.localStorage = { getItem: () => kept };
  try {
    assert.equal(preflight.secondsEstimate, 3);
  } finally {
    delete globalThis.localStorage;
  }
});

test("some windows are asked for at once, and every refusal is heard", async () => {
  const preflight = new Preflight();
  for (let at = 0; at < 1_600; at += 1) preflight.add({ path: `${at}.txt`, blob: { size: 1 } });
  let open = 0;
  let most = 0;
  const api = {
    preflight: async (batch, documents) => {
      most = Math.max(most, (open += 1));
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      const [{ path }] = documents;
      return { refused: [{ path, code: "type_refused", detail: "No." }], quota_left: 9_000 };
    },
  };

  await preflight.askServer(api, "batch");

  assert.equal(most, 3);
  assert.deepEqual(preflight.refused.map(({ path }) => path), [
    "0.txt", "500.txt", "1000.txt", "1500.txt",
  ]);
  assert.equal(preflight.count, 1_596);
});

test("a server that cannot be asked is asked nothing more", async () => {
  const preflight = new Preflight();
  for (let at = 0; at < 5_000; at += 1) preflight.add({ path: `${at}.txt`, blob: { size: 1 } });
  let asked = 0;
  const api = {
    preflight: async () => {
      asked += 1;
      if (asked === 2) throw new Error("away");
      await new Promise((resolve) => setImmediate(resolve));
      return { refused: [], quota_left: 9_000 };
    },
  };

  await assert.rejects(preflight.askServer(api, "batch"), /away/);
  // Those that were under way are answered in the next turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(asked, 3);
});
