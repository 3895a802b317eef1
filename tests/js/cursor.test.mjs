import assert from "node:assert/strict";
import { test } from "node:test";

import { Cursor } from "../../static/js/live/cursor.js";

const event = (seq) => ({ seq, kind: "documents", to: "ready", documents: [`d${seq}`] });

test("the next frame is taken with its events and progress", () => {
  const cursor = new Cursor(4);

  const result = cursor.accept({ from: 4, to: 6, events: [event(5), event(6)], progress: { total: 2 } });

  assert.equal(result.events.length, 2);
  assert.deepEqual(result.progress, { total: 2 });
  assert.equal(cursor.at, 6);
});

test("a frame that starts later is a gap and changes nothing", () => {
  const cursor = new Cursor(4);

  assert.deepEqual(cursor.accept({ from: 5, to: 6, events: [event(6)] }), { gap: true });
  assert.equal(cursor.at, 4);
});

test("a frame without its events is a gap", () => {
  assert.deepEqual(new Cursor(4).accept({ from: 4, to: 90, events: null }), { gap: true });
});

test("events heard before are not told again", () => {
  const result = new Cursor(5).accept({ from: 3, to: 6, events: [event(4), event(5), event(6)] });

  assert.deepEqual(result.events.map(({ seq }) => seq), [6]);
});

test("an older frame never turns the progress back", () => {
  const result = new Cursor(9).accept({ from: 2, to: 5, events: [event(5)], progress: { total: 1 } });

  assert.deepEqual(result, { events: [], progress: null });
});

test("a repeated number heals nothing but shows the progress", () => {
  const result = new Cursor(9).accept({ from: 9, to: 9, events: [], progress: { total: 3 } });

  assert.deepEqual(result, { events: [], progress: { total: 3 } });
});

test("a greeting ahead of the page is a gap, one level with it is not", () => {
  assert.deepEqual(new Cursor(3).accept({ snapshot: { total: 1 }, to: 8 }), { gap: true });
  assert.deepEqual(new Cursor(8).accept({ snapshot: { total: 1 }, to: 8 }), {
    events: [], progress: { total: 1 },
  });
});

test("an answer with its events is taken like a frame, with the snapshot as progress", () => {
  const cursor = new Cursor(3);

  const result = cursor.accept({ from: 3, to: 4, events: [event(4)], snapshot: { total: 1 } });

  assert.equal(result.events.length, 1);
  assert.deepEqual(result.progress, { total: 1 });
});

test("an answer without events starts the page afresh", () => {
  const cursor = new Cursor(3);

  const result = cursor.accept({ from: 3, to: 900, events: null, snapshot: { total: 1 } });

  assert.equal(result.restarted, true);
  assert.equal(cursor.at, 900);
});
