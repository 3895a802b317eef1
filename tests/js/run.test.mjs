import assert from "node:assert/strict";
import { test } from "node:test";

import { gapSentence, showGaps } from "../../static/js/live/gaps.js";
import { Narrator } from "../../static/js/live/narrator.js";
import {
  bytesSentence, canClose, outcomeSentence, phaseOf, runSentence, turnSentence, waitingSentence,
} from "../../static/js/upload/run-words.js";
import { RunView } from "../../static/js/upload/run-view.js";
import { Tally } from "../../static/js/upload/tally.js";
import { FakeElement, FakeRegion } from "./fake-page.mjs";

const COUNTS = {
  queued: 0, checking: 0, registered: 0, sending: 0, sent: 0, there: 0,
  refused: 0, failed: 0, cancelled: 0,
};
const engine = (fields = {}, counts = {}) => ({
  isMoving: true, isMovingBytes: true, sentBytes: 1024, totalBytes: 4096, bytesPerSecond: 2048,
  secondsLeft: null, waitingFor: null, manifest: { done: 5000, total: 5000 }, items: [],
  ...fields, counts: { ...COUNTS, ...counts },
});

test("what it waits for is said with the seconds until it goes on", () => {
  const sentence = (kind, until) => waitingSentence({ kind, until }, 1000);

  assert.equal(sentence("rate_limit", 12_600), "The server asked to slow down. Going on in 12 s.");
  assert.equal(sentence("network", 900), "The connection was lost. Going on now.");
  assert.equal(sentence("server", null), "The server had a problem. Going on by itself.");
  assert.equal(sentence("unknown", 2500), "Something unexpected happened. Going on in 2 s.");
  assert.match(sentence("offline", null), /^You are offline/);
  assert.match(sentence("user", null), /^Paused/);
  assert.equal(waitingSentence(null, 0), null);
});

test("listing, sending and waiting for the last answer are told apart", () => {
  assert.equal(
    runSentence(engine({ manifest: { done: 3500, total: 5000 } }), 0), "Listing 3,500 of 5,000",
  );
  assert.equal(runSentence(engine({ secondsLeft: [180, 300] }), 0), "Uploading: 3–5 minutes left");
  assert.equal(runSentence(engine({}), 0), "Uploading");
  assert.match(runSentence(engine({ isMovingBytes: false }), 0), /^The server is checking/);
  assert.equal(runSentence(engine({ isMoving: false, isMovingBytes: false }), 0), "");
  assert.equal(
    runSentence(engine({ waitingFor: { kind: "rate_limit", until: 2000 } }), 0),
    "The server asked to slow down. Going on in 2 s.",
  );
});

test("a pace is told only while bytes move", () => {
  assert.equal(bytesSentence(engine()), "1.0 KB of 4.0 KB · 2.0 KB/s");
  assert.equal(bytesSentence(engine({ waitingFor: { kind: "user", until: null } })), "1.0 KB of 4.0 KB");
  assert.equal(bytesSentence(engine({ isMovingBytes: false })), "1.0 KB of 4.0 KB");
});

test("the tab can be closed as soon as everything was said to be there, and not before", () => {
  const still = { isMovingBytes: false };

  assert.equal(canClose(engine(still, { there: 10 })), true);
  assert.equal(canClose(engine(still, { sent: 3, there: 7 })), false);
  assert.equal(canClose(engine({}, { sent: 10 })), false);
  assert.equal(canClose(engine(still, { queued: 1, there: 9 })), false);
  assert.equal(canClose(engine(still, { cancelled: 10 })), false);
});

test("the outcome names what was there before, and only what happened", () => {
  const none = { here: 0, sent: 0, failed: 0, refused: 0, cancelled: 0 };

  assert.equal(outcomeSentence({ ...none, here: 1688, sent: 312 }), "1,688 were here already, 312 sent.");
  assert.equal(outcomeSentence({ ...none, sent: 60 }), "60 sent.");
  assert.equal(
    outcomeSentence({ ...none, here: 1, failed: 2, cancelled: 3 }),
    "1 was here already, 0 sent, 2 not sent, 3 cancelled.",
  );
});

test("what was seen leaving was sent, the rest was here already", () => {
  const items = Array.from({ length: 4 }, () => ({ state: "queued" }));
  const tally = new Tally();
  items[0].state = "sending";
  items[1].state = "sent";
  tally.note(items);
  for (const item of items) item.state = "there";
  items[1].state = "failed";

  const outcome = tally.of(engine({ items }, { there: 3, failed: 1 }));

  assert.deepEqual(outcome, { here: 2, sent: 1, failed: 1, refused: 0, cancelled: 0 });
});

test("only the end of a phase has a sentence of its own", () => {
  assert.match(turnSentence("listing", engine()), /^All 5,000 documents listed/);
  assert.match(turnSentence("sending", engine({ isMovingBytes: false }, { sent: 1 })), /^All bytes are here/);
  assert.equal(turnSentence(null, engine()), null);
  assert.equal(phaseOf(engine({ isMovingBytes: false })), "finishing");
});

test("a voice speaks at most every ten seconds, and at once at an end", () => {
  const region = new FakeRegion();
  let now = 0;
  const narrator = new Narrator(region, { now: () => now });

  for (now = 0; now < 30_000; now += 100) narrator.tell(`${now} so far`);
  narrator.tellEnd("Finished.");
  narrator.tellEnd("Finished.");
  narrator.tell("29999 so far");

  assert.deepEqual(region.told, ["0 so far", "10000 so far", "20000 so far", "Finished."]);
});

function runFor(context, running) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  globalThis.window = new FakeElement();
  globalThis.window.removeEventListener = () => {};
  const element = new FakeElement();
  const sent = [];
  const view = new RunView(element, {
    engine: running, expected: 5000, onError: (error) => sent.push(error.message),
    onAllSent: () => sent.push("all sent"),
  });
  const region = new FakeRegion();
  view.narrator.element = region;
  return { element, view, region, sent };
}

test("a minute of uploading is read out in a handful of sentences", (context) => {
  const running = engine({ secondsLeft: [60, 90] }, { sending: 6, queued: 4994 });
  const { view, region } = runFor(context, running);

  for (let ms = 0; ms < 60_000; ms += 50) {
    running.counts.there += 4;
    running.waitingFor = ms % 2000 < 500 ? { kind: "rate_limit", until: Date.now() + 3000 } : null;
    view.changed(new Set());
    context.mock.timers.tick(50);
  }

  assert.ok(region.told.length >= 5 && region.told.length <= 7, region.told.join("\n"));
});

test("the ends of phases are read out once each, and the page follows", (context) => {
  const items = Array.from({ length: 5000 }, () => ({ state: "queued" }));
  const running = engine({ items, manifest: { done: 10, total: 5000 } }, { queued: 5000 });
  const { element, view, region, sent } = runFor(context, running);
  const part = (name) => element.querySelector(`[data-${name}]`);

  view.changed(new Set());
  running.manifest.done = 5000;
  context.mock.timers.tick(1500);
  for (const item of items) item.state = "sent";
  Object.assign(running, { isMovingBytes: false });
  Object.assign(running.counts, { queued: 0, sent: 5000 });
  view.changed(new Set(items));
  context.mock.timers.tick(1500);

  assert.equal(part("closable").hidden, true);
  assert.deepEqual(sent, []);

  for (const item of items) item.state = "there";
  running.isMoving = false;
  Object.assign(running.counts, { sent: 0, there: 5000 });
  context.mock.timers.tick(60_000);

  assert.deepEqual(region.told, [
    "10 of 5,000 documents listed.",
    "All 5,000 documents listed. Their bytes are on the way.",
    "All bytes are here.",
    "5,000 sent. You can close this tab.",
  ]);
  assert.deepEqual(sent, ["all sent"]);
  assert.equal(part("closable").hidden, false);
  assert.equal(part("controls").hidden, true);
});

test("leaving asks only while bytes move", (context) => {
  const running = engine({}, { sending: 1 });
  const bound = [];
  const { view } = runFor(context, running);
  globalThis.window.addEventListener = (kind) => bound.push(`+${kind}`);
  globalThis.window.removeEventListener = (kind) => bound.push(`-${kind}`);

  view.changed(new Set());
  context.mock.timers.tick(2000);
  running.isMovingBytes = false;
  context.mock.timers.tick(2000);

  assert.deepEqual(bound, ["+beforeunload", "-beforeunload"]);
});

test("one button pauses and resumes, as the engine says", async (context) => {
  const running = engine({}, { sending: 1 });
  running.pause = () => (running.waitingFor = { kind: "user", until: null });
  running.resume = () => (running.waitingFor = null);
  const { element, view } = runFor(context, running);
  const button = element.querySelector("[data-pause]");
  view.changed(new Set());

  await button.fire("click");
  await Promise.resolve();
  assert.equal(button.querySelector("[data-label]").textContent, "Resume");
  assert.match(element.querySelector("[data-run-line]").textContent, /^Paused/);
  await button.fire("click");
  await Promise.resolve();
  assert.equal(button.querySelector("[data-label]").textContent, "Pause");
});

test("an action that fails is said", async (context) => {
  const { view, sent } = runFor(context, engine());

  await view.act(() => Promise.reject(new Error("The server had a problem.")));

  assert.deepEqual(sent, ["The server had a problem."]);
});

test("the batch page says how many bytes are missing until none are", () => {
  const progress = (awaiting, expired = 0) => ({ total: 2000, counts: { awaiting, expired } });
  const section = new FakeElement();
  section.dataset.cancelled = "false";

  assert.equal(gapSentence(progress(312)), "312 of 2,000 are waiting for their bytes.");
  assert.equal(gapSentence(progress(0, 1)), "1 of 2,000 is waiting for its bytes.");
  showGaps(section, progress(312));
  assert.equal(section.hidden, false);
  showGaps(section, progress(0));
  assert.equal(section.hidden, true);
});
