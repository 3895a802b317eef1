import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed, socketUrl } from "../../static/js/live/feed.js";

class FakeSocket extends EventTarget {
  static OPEN = 1;
  static all = [];
  readyState = 0;
  sent = [];

  constructor(url) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
  }

  tell(frame) {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  drop() {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}

function startFeed({ since = 0, events } = {}) {
  FakeSocket.all = [];
  const changes = [];
  const states = [];
  const asked = [];
  const api = {
    events: async (_batch, number) => {
      asked.push(number);
      return events(number);
    },
  };
  const feed = new Feed("b", { since, api, url: "ws://h/", WebSocket: FakeSocket });
  feed.addEventListener("change", ({ detail }) => changes.push(detail));
  feed.addEventListener("state", ({ detail }) => states.push(detail));
  feed.start();
  return { feed, changes, states, asked, socket: () => FakeSocket.all.at(-1) };
}

test("a frame over the socket is shown and the page is live", () => {
  const { feed, changes, states, socket } = startFeed();

  socket().open();
  socket().tell({ from: 0, to: 1, events: [{ seq: 1 }], progress: { total: 1 } });

  assert.equal(changes[0].progress.total, 1);
  assert.equal(states.at(-1), "live");
  feed.stop();
});

test("a gap is asked for over the socket, from the last number seen", () => {
  const { feed, changes, socket } = startFeed({ since: 5 });

  socket().open();
  socket().tell({ from: 9, to: 10, events: [{ seq: 10 }] });

  assert.deepEqual(socket().sent, [{ since: 5 }]);
  assert.equal(changes.length, 0);
  feed.stop();
});

test("without a socket the page polls, says so, and misses nothing", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { feed, changes, states, asked, socket } = startFeed({
    since: 2,
    events: (number) => ({ from: number, to: 3, events: [{ seq: 3 }], snapshot: { total: 1 } }),
  });

  socket().drop();
  context.mock.timers.tick(20000);
  socket().drop();
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(asked[0], 2);
  assert.deepEqual(changes[0].events, [{ seq: 3 }]);
  assert.equal(states.at(-1), "polling");
  feed.stop();
});

test("when polling fails as well the page says that it is offline", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { feed, states, socket } = startFeed({
    events: () => {
      throw new Error("away");
    },
  });

  socket().drop();
  context.mock.timers.tick(20000);
  socket().drop();
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(states.at(-1), "offline");
  feed.stop();
});

test("the socket is where the page is, and as safe", () => {
  assert.equal(socketUrl("x", { protocol: "https:", host: "s.example" }), "wss://s.example/ws/batches/x/");
  assert.equal(socketUrl("x", { protocol: "http:", host: "h:1" }), "ws://h:1/ws/batches/x/");
});
