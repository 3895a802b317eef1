import assert from "node:assert/strict";
import { test } from "node:test";

import { isMoving, isTroubled, itemStatus } from "../../static/js/upload/item-status.js";
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
