import assert from "node:assert/strict";
import { test } from "node:test";

import { walkEntries, walkPicked } from "../../static/js/upload/walk.js";

const leaf = (name, blob = { name, size: 1 }) => ({
  name, isFile: true, isDirectory: false,
  file: (resolve, reject) => (blob ? resolve(blob) : reject(new Error("gone"))),
});
const folder = (name, children, atOnce = 100) => ({
  name, isFile: false, isDirectory: true,
  createReader() {
    const left = [...children];
    return { readEntries: (resolve) => resolve(left.splice(0, atOnce)) };
  },
});
async function collect(walk) {
  const found = [];
  for await (const entry of walk) found.push(entry);
  return found;
}

test("a nested folder keeps its relative paths", async () => {
  const tree = folder("drop", [leaf("a.txt"), folder("sub", [folder("deep", [leaf("b.txt")])])]);

  const found = await collect(walkEntries([tree]));

  assert.deepEqual(found.map(({ path }) => path), ["drop/a.txt", "drop/sub/deep/b.txt"]);
});

test("a folder is read to its end although it answers in portions", async () => {
  const children = Array.from({ length: 250 }, (_, index) => leaf(`${index}.txt`));

  const found = await collect(walkEntries([folder("drop", children)]));

  assert.equal(found.length, 250);
});

test("folders beside each other are asked at once, and told in their order", async () => {
  const asked = [];
  const slow = (name, answer) => ({
    ...folder(name, []),
    createReader: () => ({
      readEntries: (resolve) => {
        asked.push(name);
        answer.then(resolve);
      },
    }),
  });
  let answerLast;
  const last = new Promise((resolve) => {
    answerLast = () => resolve([]);
  });
  const first = slow("one", last);
  const tree = folder("drop", [first, slow("two", Promise.resolve([])), leaf("a.txt")]);

  const walk = collect(walkEntries([tree]));
  await new Promise((resolve) => setImmediate(resolve));
  const askedBefore = [...asked];
  answerLast();

  assert.deepEqual(askedBefore, ["one", "two"]);
  assert.deepEqual((await walk).map(({ path }) => path), ["drop/a.txt"]);
});

test("junk is named and not walked", async () => {
  const tree = folder("drop", [
    folder("node_modules", [leaf("index.js")]), leaf(".DS_Store"), leaf("a.txt"),
  ]);

  const found = await collect(walkEntries([tree]));

  assert.deepEqual(found.map(({ junk, path }) => junk ?? path), [
    "drop/node_modules", "drop/.DS_Store", "drop/a.txt",
  ]);
});

test("what the browser cannot read is reported, and the walk goes on", async () => {
  const found = await collect(walkEntries([folder("d", [leaf("x", null), leaf("y")])]));

  assert.equal(found[0].unreadable, true);
  assert.equal(found[1].path, "d/y");
});

test("picked paths are NFC with forward slashes", async () => {
  const blobs = [{ webkitRelativePath: "drop/u\u0308.txt" }, { name: "a\\b.txt" }];

  const found = await collect(walkPicked(blobs));

  assert.deepEqual(found.map(({ path }) => path), ["drop/\u00fc.txt", "a/b.txt"]);
});

test("a folder that the browser refuses is reported, and the walk goes on", async () => {
  const closed = {
    ...folder("closed", []),
    createReader: () => ({ readEntries: (_resolve, reject) => reject(new Error("denied")) }),
  };

  const found = await collect(walkEntries([folder("d", [closed, leaf("y")])]));

  assert.deepEqual(found.map(({ path, unreadable }) => [path, unreadable]), [
    ["d/closed", true], ["d/y", undefined],
  ]);
});

test("the leaves of a portion are read side by side", async () => {
  let reading = 0;
  let most = 0;
  const slow = (name) => ({
    ...leaf(name),
    file: (resolve) => {
      reading += 1;
      most = Math.max(most, reading);
      setImmediate(() => {
        reading -= 1;
        resolve({ name, size: 1 });
      });
    },
  });

  await collect(walkEntries([folder("d", Array.from({ length: 250 }, (_, n) => slow(`${n}`)))]));

  assert.equal(most, 100);
});
