import assert from "node:assert/strict";
import { test } from "node:test";

import { isSettled, summary } from "../../static/js/live/progress.js";
import { nextTheme } from "../../static/js/theme.js";
import { Channel } from "../../static/js/upload/channel.js";
import { Gate } from "../../static/js/upload/gate.js";
import { Rate } from "../../static/js/upload/rate.js";
import { Width } from "../../static/js/upload/width.js";
import { visibleRange } from "../../static/js/virtual-list.js";

const COUNTS = { awaiting: 0, uploaded: 0, processing: 0, searchable: 0, failed: 0, rejected: 0 };
const progress = (counts, searchable = [0, 1]) => ({
  total: 3, counts: { ...COUNTS, ...counts }, phases: { searchable },
});

test("only the rows in sight exist, and a few around them", () => {
  const range = visibleRange({ scrollTop: 6000, height: 600, rowHeight: 60, count: 5000 });
  assert.deepEqual(range, { first: 94, end: 116 });
});

test("a list that became short shows its end", () => {
  const range = visibleRange({ scrollTop: 6000, height: 600, rowHeight: 60, count: 3 });
  assert.deepEqual(range, { first: 3, end: 3 });
});

test("a channel hands out a full window at once and the rest when closed", async () => {
  const channel = new Channel();
  channel.push(1, 2, 3);
  assert.deepEqual(await channel.takeMany(2, 10_000), [1, 2]);
  channel.close();
  assert.deepEqual(await channel.takeMany(2, 10_000), [3]);
  assert.deepEqual(await channel.takeMany(2, 10_000), []);
});

test("a gate held for two reasons opens when both are gone", async () => {
  const gate = new Gate();
  let passed = false;
  gate.hold("user");
  gate.hold("offline");
  const passing = gate.pass().then(() => (passed = true));

  gate.release("user");
  await Promise.resolve();
  assert.equal(passed, false);
  gate.release("offline");
  await passing;
  assert.equal(passed, true);
});

test("transfers widen one by one to six and narrow by half", () => {
  const width = new Width();
  for (let n = 0; n < 100; n += 1) width.succeeded();
  assert.equal(width.now, 6);
  width.failed();
  assert.equal(width.now, 3);
  width.failed();
  width.failed();
  assert.equal(width.now, 1);
});

test("the rate is over the last seconds, and unknown at first", () => {
  const rate = new Rate();
  rate.add(0, 0);
  assert.equal(rate.bytesPerSecond, null);
  rate.add(1000, 1000);
  rate.add(9000, 9000);
  assert.equal(rate.bytesPerSecond, 1000);
});

test("a batch is settled when nothing more happens by itself", () => {
  assert.equal(isSettled(progress({ searchable: 3 })), true);
  assert.equal(isSettled(progress({ searchable: 2, awaiting: 1 })), false);
});

test("the spoken summary is one short sentence", () => {
  assert.equal(summary(progress({ processing: 2 }, [1, 3])), "1 of 3 documents searchable.");
  assert.equal(
    summary(progress({ searchable: 1, duplicate: 1, failed: 1 }, [2, 2])),
    "Finished: 2 documents searchable, 1 failed.",
  );
});

test("the theme goes round", () => {
  assert.deepEqual(["auto", "light", "dark"].map(nextTheme), ["light", "dark", "auto"]);
});
