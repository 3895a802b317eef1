import assert from "node:assert/strict";
import { test } from "node:test";

import { isDone, isMoving, isTroubled, itemStatus, secondLine } from "../../static/js/upload/item-status.js";
import { StatusesFeed } from "../../static/js/upload/statuses-feed.js";

const moved = (to, ...documents) => ({ kind: "documents", to, documents });
const item = (fields) => ({ id: "x", path: "a/b.txt", state: "there", status: null, error: null, ...fields });

test("an event about a document that is not known yet waits for it", () => {
  const feed = new StatusesFeed({ api: {}, batch: "b", onChange: () => {} });
  const one = item();

  feed.take([moved("processing", "x"), moved("ready", "x")]);
  feed.know([one]);

  assert.equal(one.status, "ready");
});

test("what can be searched is done, while something optional goes on", () => {
  const feed = new StatusesFeed({ api: {}, batch: "b", onChange: () => {} });
  const one = item();
  feed.know([one]);

  feed.take([moved("processing", "x"), { kind: "searchable", documents: ["x"], n: 1 }]);

  assert.equal(isDone(one), true);
  assert.equal(itemStatus(one).label, "Searchable");
});

test("the engine's own state is left alone", () => {
  const feed = new StatusesFeed({ api: {}, batch: "b", onChange: () => {} });
  const one = item({ state: "sent" });
  feed.know([one]);

  feed.take([moved("processing", "x")]);

  assert.equal(one.state, "sent");
  assert.equal(itemStatus(one).label, "Processing");
});

test("the reason of a failure is fetched once for many", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const api = {
    documents: async (_batch, status) => {
      asked.push(status);
      return { results: [{ id: "x", error: { detail: "It is damaged." } }, { id: "y", error: null }] };
    },
  };
  const feed = new StatusesFeed({ api, batch: "b", onChange: () => {} });
  const one = item();
  feed.know([one]);

  feed.take([moved("failed", "x", "y")]);
  feed.take([moved("failed", "z")]);
  context.mock.timers.tick(1000);
  await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual(asked, ["failed"]);
  assert.equal(one.error, "It is damaged.");
});

test("reasons that could not be fetched are asked for again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const api = {
    documents: async () => {
      asked += 1;
      if (asked === 1) throw Object.assign(new Error("The connection was lost."), { canRetry: true });
      return { results: [{ id: "x", error: { detail: "It is damaged." } }] };
    },
  };
  const told = [];
  const feed = new StatusesFeed({ api, batch: "b", onChange: (items) => told.push([...items]) });
  const one = item();
  feed.know([one]);
  feed.take([moved("failed", "x")]);

  for (let round = 0; round < 2; round += 1) {
    context.mock.timers.tick(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }

  assert.equal(one.error, "It is damaged.");
  assert.deepEqual(told, [[one], [one]]);
});

test("only what is known here and changed is passed on", () => {
  const told = [];
  const feed = new StatusesFeed({ api: {}, batch: "b", onChange: (items) => told.push([...items]) });
  const one = item();
  feed.know([one]);

  feed.take([moved("processing", "elsewhere")]);
  feed.take([moved("processing", "x", "elsewhere"), moved("ready", "x")]);

  assert.deepEqual(told, [[one]]);
});

test("a retried document loses its old reason", () => {
  const feed = new StatusesFeed({ api: {}, batch: "b", onChange: () => {} });
  const one = item({ status: "failed", error: "It is damaged." });
  feed.know([one]);

  feed.take([moved("processing", "x")]);

  assert.equal(one.error, null);
});

test("filters tell what is under way from what has trouble", () => {
  assert.equal(isMoving(item({ state: "sending", status: "awaiting" })), true);
  assert.equal(isMoving(item({ status: "ready" })), false);
  assert.equal(isTroubled(item({ status: "partial" })), true);
  assert.equal(isTroubled(item({ state: "refused" })), true);
  assert.equal(isTroubled(item({ status: "duplicate" })), false);
});

test("a paused document says so until its bytes are here", () => {
  assert.equal(itemStatus(item({ state: "registered", status: "awaiting", paused: true })).label, "Paused");
  assert.equal(itemStatus(item({ state: "there", status: "ready", paused: true })).label, "Searchable");
});

test("the second line is the reason with what happens next, or how far it is", () => {
  const error = "The connection was lost.";
  const sending = { state: "sending", loaded: 1024, blob: { size: 4096 } };

  assert.equal(secondLine(item({ error, next: "Trying again in 4 s." })), `${error} Trying again in 4 s.`);
  assert.equal(secondLine(item({ error })), error);
  assert.equal(secondLine(item(sending)), "1.0 KB of 4.0 KB");
  assert.equal(secondLine(item()), "");
});

test("what is found is done, also in part and as a duplicate", () => {
  assert.deepEqual(
    ["ready", "partial", "duplicate", "failed", "processing", null].map((status) => isDone(item({ status }))),
    [true, true, true, false, false, false],
  );
});
