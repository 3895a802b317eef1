import assert from "node:assert/strict";
import { test } from "node:test";

import { countOf, perform } from "../../static/js/upload/actions.js";
import { readKey } from "../../static/js/upload/list-keys.js";
import { barSentence } from "../../static/js/upload/selection-bar.js";
import { Selection } from "../../static/js/upload/selection.js";

const item = (state, fields = {}) => ({ id: null, state, status: null, paused: false, ...fields });

test("toggling several chooses all of them first and then none", () => {
  const selection = new Selection(5);
  selection.set([1], true);

  assert.equal(selection.stateOf([0, 1, 2]), "some");
  selection.toggle([0, 1, 2]);
  assert.equal(selection.stateOf([0, 1, 2]), "all");
  selection.toggle([0, 1, 2]);
  assert.equal(selection.stateOf([0, 1, 2]), "none");
  assert.equal(selection.count, 0);
});

test("what is chosen twice counts once", () => {
  const selection = new Selection(5);

  selection.set([3, 4], true);
  selection.set([2, 3], true);

  assert.equal(selection.count, 3);
  assert.deepEqual(selection.places(), [2, 3, 4]);
});

test("each action counts the documents it would touch", () => {
  const counts = countOf([
    item("sending"),
    item("queued", { paused: true }),
    item("sent"),
    item("failed"),
    item("refused"),
    item("there", { status: "failed" }),
    item("there", { status: "processing" }),
    item("there", { status: "ready" }),
  ]);

  assert.deepEqual(counts, { pause: 1, resume: 1, cancel: 4, retry: 2 });
});

test("the engine does what is with it, the server the rest, in windows of 500", async () => {
  const asked = [];
  const engine = { cancel: (items) => asked.push(["engine", items.length]) };
  const api = { cancelDocuments: async (batch, ids) => asked.push([batch, ids.length, ids[0]]) };
  const there = Array.from({ length: 501 }, (_, n) => item("there", { id: `d${n}`, status: "processing" }));

  await perform("cancel", [item("queued"), item("failed"), ...there], { engine, api, batch: "b" });

  assert.deepEqual(asked, [["engine", 1], ["b", 500, "d0"], ["b", 1, "d500"]]);
});

test("what the server failed is retried there, what was not sent here", async () => {
  const asked = [];
  // It is resolved when everything was sent, which may be hours from now.
  const engine = { retry: (items) => asked.push(items.map(({ id }) => id)) && new Promise(() => {}) };
  const api = { retryDocuments: async (_batch, ids) => asked.push(ids) };
  const items = [item("failed", { id: "here" }), item("there", { id: "there", status: "failed" })];

  perform("retry", items, { engine, api, batch: "b" });
  await Promise.resolve();

  assert.deepEqual(asked, [["here"], ["there"]]);
});

test("the bar says how many are selected, and which of them one does not see", () => {
  assert.equal(barSentence({ selected: 0, hidden: 0, shown: 5000 }), "5,000 documents");
  assert.equal(barSentence({ selected: 12, hidden: 0, shown: 5000 }), "12 selected");
  assert.equal(barSentence({ selected: 12, hidden: 3, shown: 9 }), "12 selected, 3 of them not shown");
});

test("keys move, choose and fold, and leave the browser's own alone", () => {
  const key = (name, held = {}) => readKey({ key: name, ...held }, 10);

  assert.deepEqual(key("ArrowDown"), { step: 1, extends: undefined });
  assert.deepEqual(key("PageUp", { shiftKey: true }), { step: -10, extends: true });
  assert.deepEqual(key(" "), { command: "toggle" });
  assert.deepEqual(key("A", { metaKey: true }), { command: "all" });
  assert.equal(key("ArrowDown", { altKey: true }), null);
  assert.equal(key("f", { ctrlKey: true }), null);
  assert.equal(key("Tab"), null);
});
