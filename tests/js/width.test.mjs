import assert from "node:assert/strict";
import { test } from "node:test";

import { ProtocolWatch, mostAtOnce } from "../../static/js/upload/protocol.js";
import { Width } from "../../static/js/upload/width.js";

// Transfers of 1 MB that take 100 ms each, over a line that carries `carries` of them at once.
function send(width, count, carries, state = { at: 0, moved: 0 }) {
  for (let n = 0; n < count; n += 1) {
    const atOnce = Math.min(width.now, carries);
    state.at += 100 / atOnce;
    state.moved += 1_000_000;
    width.succeeded({ ...state, isFull: true });
  }
  return state;
}

test("the width grows to six while that moves more, and to thirty where it may", () => {
  const narrow = new Width();
  send(narrow, 400, 100);
  assert.equal(narrow.now, 6);

  const wide = new Width({ most: 30 });
  send(wide, 2000, 100);
  assert.equal(wide.now, 30);
});

test("a line that is full keeps the width near what it carries", () => {
  const width = new Width({ most: 30 });
  const state = { at: 0, moved: 0 };
  const seen = [];
  for (let n = 0; n < 200; n += 1) {
    send(width, 20, 8, state);
    seen.push(width.now);
  }

  const late = seen.slice(100);
  assert.ok(Math.max(...late) <= 10, String(late));
  assert.ok(Math.min(...late) >= 7, String(late));
});

test("trouble halves it once, however many fail of it, and two are the fewest", () => {
  const width = new Width({ most: 30 });
  const { at } = send(width, 2000, 100);

  for (let n = 0; n < 30; n += 1) width.failed({ startedAt: at - 50, at: at + n });
  assert.equal(width.now, 15);
  for (let n = 1; n < 9; n += 1) width.failed({ startedAt: at + 100 * n, at: at + 100 * n });
  assert.equal(width.now, 2);
});

test("after trouble it grows again", () => {
  const width = new Width();
  const state = send(width, 400, 100);
  width.failed({ startedAt: state.at, at: state.at });
  assert.equal(width.now, 3);

  send(width, 400, 100, state);

  assert.equal(width.now, 6);
});

test("a pace with too little to send says nothing about the width", () => {
  const width = new Width();
  for (let n = 0; n < 500; n += 1) {
    width.succeeded({ at: n * 100, moved: n * n * 1000, isFull: false });
  }
  assert.equal(width.now, 3);
});

test("a lower limit holds at once", () => {
  const width = new Width({ most: 30 });
  send(width, 2000, 100);
  width.limit(5);
  assert.equal(width.now, 5);
});

test("HTTP/2 and 3 carry thirty, HTTP/1.1 six, one of them for the API where it is shared", () => {
  const cases = [["h2", true], ["h3", false], ["http/1.1", false], ["http/1.1", true], ["", false]];
  assert.deepEqual(
    cases.map(([name, sharesOrigin]) => mostAtOnce(name, { sharesOrigin })), [30, 30, 6, 5, 6],
  );
});

test("the protocol is read of finished transfers to the store, and the entries are cleared", () => {
  const told = [];
  let cleared = 0;
  let observer;
  class FakeObserver {
    constructor(onList) {
      observer = this;
      this.tell = (...entries) => onList({ getEntries: () => entries });
    }
    observe() {}
    disconnect() {
      this.isOff = true;
    }
  }
  const watch = new ProtocolWatch({
    onMost: (most) => told.push(most),
    page: { href: "https://sluice.test/upload/", origin: "https://sluice.test" },
    performance: { clearResourceTimings: () => (cleared += 1) },
    PerformanceObserver: FakeObserver,
  });

  watch.use("https://store.test/a?X-Amz-Signature=1");
  watch.use("https://store.test/b");
  observer.tell({ name: "https://sluice.test/api/v1/x", nextHopProtocol: "h2" });
  observer.tell({ name: "https://store.test/a?X-Amz-Signature=1", nextHopProtocol: "" });
  assert.deepEqual(told, [6]);
  observer.tell({ name: "https://store.test/b", nextHopProtocol: "h2" });
  watch.use("/storage/incoming/1");
  watch.stop();

  assert.deepEqual(told, [6, 30, 5]);
  assert.equal(cleared, 3);
  assert.equal(observer.isOff, true);
});
