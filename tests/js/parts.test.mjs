import assert from "node:assert/strict";
import { test } from "node:test";

import { isSettled, summary } from "../../static/js/live/progress.js";
import { nextTheme } from "../../static/js/theme.js";
import { Gate } from "../../static/js/upload/gate.js";
import { Pace, estimateSeconds, rememberPace } from "../../static/js/upload/pace.js";
import { readProblem } from "../../static/js/upload/put.js";
import { Queue } from "../../static/js/upload/queue.js";
import { Rate } from "../../static/js/upload/rate.js";
import { SizeOrder } from "../../static/js/upload/size-order.js";
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

test("a gate held for a time opens by itself, and the longest wish counts", async () => {
  let at = 0;
  const waits = [];
  let opened = 0;
  const gate = new Gate({
    now: () => at,
    wait: (ms) => new Promise((resolve) => waits.push({ ms, resolve })),
    onRelease: () => (opened += 1),
  });

  const first = gate.holdFor("rate_limit", 1000);
  const longer = gate.holdFor("rate_limit", 5000);
  await gate.holdFor("rate_limit", 2000);
  assert.deepEqual([gate.until("rate_limit"), waits.length], [5000, 2]);
  at = 1000;
  waits[0].resolve();
  await first;
  assert.equal(gate.isOpen, false);
  at = 5000;
  waits[1].resolve();
  await longer;

  assert.deepEqual([gate.isOpen, opened], [true, 1]);
});

test("what is sent already may be told while a person pauses the rest", async () => {
  const gate = new Gate();
  gate.hold("user");
  await gate.pass(["user"]);
  assert.equal(gate.isOpen, false);
});

test("a queue gives back what came first, save for what may pass", () => {
  const queue = new Queue();
  for (let n = 0; n < 5000; n += 1) queue.push(n);
  const taken = Array.from({ length: 4000 }, () => queue.shift());
  queue.pushFirst("first");

  assert.deepEqual(taken, Array.from({ length: 4000 }, (_, n) => n));
  assert.deepEqual([queue.length, queue.shift(), queue.shift()], [1001, "first", 4000]);
});

test("an order by size is taken from either end, also when more come", () => {
  const order = new SizeOrder();
  order.add([{ size: 5 }, { size: 1 }, { size: 9 }]);
  assert.deepEqual([order.takeLargest(), order.takeSmallest()], [{ size: 9 }, { size: 1 }]);
  order.add([{ size: 3 }, { size: 7 }]);
  assert.deepEqual(order.largest, { size: 7 });
  const sizes = Array.from({ length: 4 }, () => order.takeSmallest()?.size);
  assert.deepEqual(sizes, [3, 5, 7, undefined]);
  assert.equal(order.takeLargest(), undefined);
});

test("the problem of a store is read from XML, and ours from JSON", () => {
  const xml = "<?xml version='1.0'?><Error><Code>RequestTimeout</Code><Message>Idle.</Message></Error>";
  assert.deepEqual(readProblem(xml), { code: "RequestTimeout" });
  assert.deepEqual(readProblem('{"code": "url_expired", "detail": "Late."}'), {
    code: "url_expired", detail: "Late.",
  });
  assert.deepEqual(readProblem("<html>Bad gateway"), {});
});

test("a pace is remembered for the next estimate, where the browser lets it be", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const pace = new Pace();
  pace.add({ bytes: 0, documents: 0 }, 0);
  assert.equal(pace.total, null);
  pace.add({ bytes: 4_000_000, documents: 2 }, 2000);
  // It was paused for an hour, which is no part of the pace.
  for (let n = 0; n < 4; n += 1) {
    pace.add({ bytes: 8_000_000 + n * 4_000_000, documents: 4 + 2 * n }, 3_602_000 + n * 2000);
  }

  assert.equal(estimateSeconds({ bytes: 4_000_000, documents: 1 }, storage), null);
  rememberPace(pace.total, storage);
  const near = (seconds, expected) => assert.ok(Math.abs(seconds - expected) < expected / 5, String(seconds));
  near(estimateSeconds({ bytes: 4_000_000, documents: 1 }, storage), 2);
  near(estimateSeconds({ bytes: 4_000_000, documents: 100 }, storage), 100);
  const forbidden = { getItem: () => assert.fail("SecurityError"), setItem: () => assert.fail("full") };
  rememberPace(pace.total, forbidden);
  assert.equal(estimateSeconds({ bytes: 1, documents: 1 }, forbidden), null);
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
