import assert from "node:assert/strict";
import { test } from "node:test";

import { FolderList, isHead } from "../../static/js/upload/folder-list.js";

const item = (path, fields = {}) => ({
  path, blob: { size: 10 }, state: "queued", loaded: 0, error: null, status: null, ...fields,
});
const shown = (list) => {
  const lines = [];
  for (let index = 0; index < list.length; index += 1) {
    const line = list.lineAt(index);
    lines.push(isHead(line) ? `[${list.folderOfLine(line).path}]` : list.items[line].path);
  }
  return lines;
};

test("documents stand under the head of their folder, folders in order", () => {
  const list = new FolderList([item("b/x.txt"), item("top.txt"), item("a/y.txt"), item("a/b/z.txt")]);

  assert.deepEqual(shown(list), [
    "[]", "top.txt", "[a]", "a/y.txt", "[a/b]", "a/b/z.txt", "[b]", "b/x.txt",
  ]);
});

test("a closed folder keeps its head and its count", () => {
  const list = new FolderList([item("a/1.txt"), item("a/2.txt"), item("b/3.txt")]);
  list.folders[0].isClosed = true;

  list.sift();

  assert.deepEqual(shown(list), ["[a]", "[b]", "b/3.txt"]);
  assert.equal(list.folders[0].shown, 2);
  assert.equal(list.shownCount, 3);
});

test("a filter leaves out what does not pass, and folders without anything that does", () => {
  const list = new FolderList([
    item("a/bad.txt", { state: "failed", error: "It is gone." }),
    item("a/fine.txt", { state: "there", status: "ready" }),
    item("b/moving.txt", { state: "sending" }),
  ]);
  const under = (filter) => {
    list.show(filter);
    list.sift();
    return shown(list);
  };

  assert.deepEqual(under("trouble"), ["[a]", "a/bad.txt"]);
  assert.deepEqual(under("done"), ["[a]", "a/fine.txt"]);
  assert.deepEqual(under("moving"), ["[b]", "b/moving.txt"]);
  assert.equal(under("all").length, 5);
});

test("a search wants every word, in the folder or in the name, in any case", () => {
  const list = new FolderList([item("Reports/2023/Gates.pdf"), item("Reports/2024/Gates.pdf")]);
  const found = (text) => {
    list.find(text);
    list.sift();
    return shown(list).filter((line) => !line.startsWith("["));
  };

  assert.deepEqual(found("gates 2024"), ["Reports/2024/Gates.pdf"]);
  assert.deepEqual(found("otter"), []);
  assert.equal(found("  ").length, 2);
});

test("a folder counts what is done as it happens", () => {
  const items = [item("a/1.txt"), item("a/2.txt"), item("b/3.txt")];
  const list = new FolderList(items);

  Object.assign(items[0], { state: "there", status: "ready" });
  list.update(new Set([items[0]]));

  assert.equal(list.folders[0].done, 1);
  assert.deepEqual(list.counts, { moving: 2, trouble: 0, done: 1 });

  items[0].status = "processing";
  list.update(new Set([items[0]]));

  assert.equal(list.folders[0].done, 0);
  assert.deepEqual(list.counts, { moving: 3, trouble: 0, done: 0 });
});

test("only a change that matters to the filter asks for other lines", () => {
  const items = [item("a.txt"), item("b.txt")];
  const list = new FolderList(items);
  items[0].state = "failed";

  assert.equal(list.update([items[0]]), false);

  list.show("trouble");
  list.sift();
  items[1].state = "sending";
  assert.equal(list.update([items[1]]), false);
  items[1].state = "failed";
  assert.equal(list.update([items[1]]), true);
});

test("a stranger's change changes nothing", () => {
  const list = new FolderList([item("a.txt")]);

  assert.equal(list.update([item("elsewhere.txt", { state: "failed" })]), false);
  assert.equal(list.counts.trouble, 0);
});

test("a range takes the documents of closed folders with it, and no heads", () => {
  const list = new FolderList([item("a/1.txt"), item("a/2.txt"), item("b/3.txt"), item("c/4.txt")]);
  list.folders[0].isClosed = true;
  list.sift();

  // [a] closed, [b], b/3.txt
  const places = list.placesBetween(2, 0);

  assert.deepEqual(places.map((place) => list.items[place].path), ["a/1.txt", "a/2.txt", "b/3.txt"]);
});

test("a line is found again after the list became another", () => {
  const items = [item("a/1.txt"), item("b/2.txt", { state: "failed" })];
  const list = new FolderList(items);
  const line = list.lineAt(3);
  list.show("trouble");
  list.sift();

  assert.equal(list.indexOf(line), 1);
  assert.equal(list.indexOf(0), -1);
});

test("twenty thousand documents are sifted within a frame", () => {
  const items = Array.from({ length: 20_000 }, (_, n) =>
    item(`archive/year-${n % 25}/month-${n % 12}/report-${n}.pdf`, { state: n % 9 ? "queued" : "failed" }),
  );
  const list = new FolderList(items);
  list.find("report-1");
  list.show("trouble");

  const spent = Array.from({ length: 5 }, () => {
    const from = performance.now();
    list.sift();
    return performance.now() - from;
  });

  assert.ok(Math.min(...spent) < 20, `${spent}`);
});
