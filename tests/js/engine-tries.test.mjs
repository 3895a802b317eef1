import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { FakeServer, fakeBlob, makeRun, manyDocuments, statesOf } from "./simulation.mjs";

const status = (code, more) => new ApiError({ status: code, ...more });

test("a PUT is tried five times, then the document says why and what comes next", async () => {
  const { engine, items, clock, line } = makeRun({ a: 10 });
  line.before = async () => {
    throw status(500, { detail: "Storage is away." });
  };

  await clock.run(engine.run());

  assert.equal(line.puts.length, 5);
  assert.deepEqual([items[0].state, items[0].error, items[0].next], [
    "failed", "Storage is away.", "Try again in a few minutes.",
  ]);
});

test("while it waits for another try a document says so, and forgets it when it goes on", async () => {
  const { engine, items, clock, line } = makeRun({ a: 10 });
  line.before = async () => {
    if (line.puts.length === 1) throw status(503, { retryAfterMs: 3000 });
  };

  const running = engine.run();
  await clock.run(running, () => items[0].next !== null);
  assert.equal(items[0].error, "The server had a problem.");
  assert.match(items[0].next, /^Trying again in [34] s\.$/);
  assert.deepEqual(engine.waitingFor.kind, "server");
  await clock.run(running);

  assert.deepEqual([items[0].state, items[0].error, items[0].next], ["there", null, null]);
});

test("an expired URL is renewed and costs no try", async () => {
  const { engine, items, server, clock, line } = makeRun({ a: 10 });
  let expired = 0;
  line.before = async () => {
    if (line.puts.length % 2 === 1 && expired < 1) {
      expired += 1;
      throw status(403);
    }
    if (line.puts.length < 6) throw status(503);
  };

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.equal(line.puts.length, 6);
  assert.equal(server.count("sign"), 2);
});

test("a fresh URL that is refused too is a failed try, and it ends", async () => {
  const { engine, items, server, clock, line } = makeRun({ a: 10 });
  line.before = async () => {
    throw status(403, { detail: "The signature is wrong." });
  };

  await clock.run(engine.run());

  assert.deepEqual([items[0].state, items[0].error], ["failed", "The signature is wrong."]);
  assert.equal(line.puts.length, 6);
  assert.equal(server.count("sign"), 6);
});

test("a URL about to expire is renewed before it is used, in one call for all", async () => {
  const { engine, items, server, clock, line } = makeRun(manyDocuments(20));
  const running = engine.run();
  await clock.run(running, () => line.puts.length > 3);
  engine.pause();
  await clock.pass(290_000);
  const before = server.count("sign");

  engine.resume();
  await clock.run(running);

  assert.ok(items.every(({ state }) => state === "there"));
  assert.ok(server.count("sign") - before <= 3, String(server.count("sign") - before));
  assert.ok(line.puts.every(({ path }) => path !== undefined), "a URL was used that had run out");
});

test("a clock that is hours off does not renew for ever", async () => {
  const { engine, items, server, clock } = makeRun(manyDocuments(10));
  server.lifeMs = -3_600_000;
  const store = server.store.bind(server);
  server.store = (url, blob) => {
    server.grantOf(url).expiresAt = Infinity;
    store(url, blob);
  };

  await clock.run(engine.run());

  assert.ok(items.every(({ state }) => state === "there"));
  assert.ok(server.count("sign") <= 3);
});

test("too many requests hold the whole engine until the time is up", async () => {
  const { engine, items, server, clock, line } = makeRun(manyDocuments(60));
  line.before = async () => {
    if (line.puts.length === 5) throw status(429, { retryAfterMs: 20_000 });
  };

  const running = engine.run();
  await clock.run(running, () => engine.waitingFor?.kind === "rate_limit");
  const { until } = engine.waitingFor;
  const heldAt = clock.at;
  await clock.run(running);

  assert.ok(until - heldAt >= 20_000 && until - heldAt <= 21_000, String(until - heldAt));
  const begun = [...line.puts, ...server.calls].filter(({ at }) => at > heldAt && at < until);
  assert.deepEqual(begun, []);
  assert.ok(items.every(({ state }) => state === "there"));
});

test("a call that was too many waits as long as the server says", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 });
  server.troubles.push(status(429, { retryAfterMs: 7000 }), status(429, { retryAfterMs: 7000 }));

  await clock.run(engine.run());

  const [first, second, third] = server.calls.map(({ at }) => at);
  assert.ok(second - first >= 7000 && third - second >= 7000);
  assert.equal(items[0].state, "there");
});

test("a call that was too many holds the transfers too", async () => {
  const { engine, items, server, clock, line } = makeRun(manyDocuments(200));
  const running = engine.run();
  await clock.run(running, () => server.count("sign") === 1 && line.puts.length > 5);
  server.troubles.push(status(429, { retryAfterMs: 30_000 }));

  await clock.run(running, () => engine.waitingFor?.kind === "rate_limit");
  const heldAt = clock.at;
  const { until } = engine.waitingFor;
  await clock.run(running);

  assert.deepEqual(line.puts.filter(({ at }) => at > heldAt && at < until), []);
  assert.ok(items.every(({ state }) => state === "there"));
});

test("a server that is away is waited for, and the reason is there to be read", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 });
  server.troubles.push(...Array.from({ length: 30 }, () => status(503)));

  const running = engine.run();
  await clock.run(running, () => engine.waitingFor !== null);
  assert.equal(server.calls.length, 3);
  assert.equal(engine.waitingFor.kind, "server");
  assert.ok(engine.waitingFor.until > clock.at);
  await clock.run(running);

  assert.equal(items[0].state, "there");
  assert.equal(engine.waitingFor, null);
});

test("a server that always fails ends the window with a sentence, and it can be retried", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10, b: 10 });
  server.troubles.push(...Array.from({ length: 12 }, () => status(500)));

  await clock.run(engine.run());
  assert.deepEqual(statesOf(items), ["failed", "failed"]);
  assert.equal(items[0].error, "The server had a problem.");
  await clock.run(engine.retry());

  assert.deepEqual(statesOf(items), ["there", "there"]);
});

test("a window over the quota says so and can go again once there is room", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 });
  server.troubles.push(status(403, { code: "quota_exceeded", detail: "5 bytes are left." }));

  await clock.run(engine.run());
  assert.deepEqual([items[0].state, items[0].error], ["failed", "5 bytes are left."]);
  await clock.run(engine.retry(items));

  assert.equal(items[0].state, "there");
});

test("a PUT that the line going down cut costs no try", async () => {
  const { engine, items, clock, line } = makeRun({ a: 10 });
  let outages = 0;
  line.before = async (_put, signal) => {
    if (outages === 8) return;
    outages += 1;
    setImmediate(() => engine.hold("offline"));
    // The error comes first, the news a moment later.
    if (outages % 2) throw status(0);
    await clock.wait(60_000, signal);
  };

  const running = engine.run();
  for (let n = 0; n < 8; n += 1) {
    await clock.run(running, () => engine.waitingFor?.kind === "offline" && line.active === 0
      && items[0].state === "registered");
    engine.release("offline");
  }
  await clock.run(running);

  assert.equal(items[0].state, "there");
  assert.equal(line.puts.length, 9);
});

test("the store's own passing refusals are tried again, and others are not", async () => {
  const { engine, items, clock, line } = makeRun({ a: 10, b: 10 });
  line.before = async ({ path }) => {
    if (path === "a" && line.ofPath("a").length < 3) throw status(400, { code: "RequestTimeout" });
    if (path === "b") throw status(400, { code: "BadDigest" });
  };

  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["there", "failed"]);
  assert.deepEqual([line.ofPath("a").length, line.ofPath("b").length], [3, 1]);
});

test("a document of other bytes than were listed becomes another at the same path", async () => {
  const server = new FakeServer();
  const before = makeRun({ "a.txt": 10, "b.txt": 10 }, { server });
  await server.clock.run(before.engine.run());

  const { engine, items, clock, line } = makeRun({ "a.txt": 11, "b.txt": 10 }, { server });
  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["there", "there"]);
  const anew = [...server.documents.values()].filter(({ path }) => path === "a.txt");
  assert.equal(anew.length, 2);
  assert.match(anew[1].client_key, /^a\.txt#[0-9a-f]{16}$/);
  assert.equal(line.puts.length, 1);
});

test("bytes of the same size but another hash than was declared become another document", async () => {
  const server = new FakeServer();
  server.documents.set("a.txt", {
    id: "id:a.txt", client_key: "a.txt", path: "a.txt", size: 10, content_type: "text/plain",
    sha256: "f".repeat(64), status: "awaiting",
  });
  const { engine, items, clock } = makeRun({ "a.txt": 10 }, { server });

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.match(items[0].id, /^id:a\.txt#[0-9a-f]{16}$/);
});

test("another browser's guess of the type is no other document", async () => {
  const server = new FakeServer();
  const first = makeRun({ "a.md": fakeBlob(10, { type: "" }) }, { server });
  await server.clock.run(first.engine.run());

  const { engine, items, clock, line } = makeRun({ "a.md": fakeBlob(10, { type: "text/markdown" }) }, { server });
  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.equal(server.documents.size, 1);
  assert.equal(line.puts.length, 0);
  assert.deepEqual(engine.manifest, { done: 1, total: 1 });
});
