import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { GONE } from "../../static/js/upload/reading.js";
import { FakeServer, Line, makeRun, manyDocuments, statesOf } from "./simulation.mjs";

const HOUR = 3_600_000;

function slowRun(documents, options) {
  const server = new FakeServer();
  return makeRun(documents, { server, line: new Line(server, { latencyMs: 1000 }), ...options });
}

test("a pause stops what is in flight, and resuming sends it from the start", async () => {
  const { engine, items, clock, line } = slowRun({ a: 10 });

  const running = engine.run();
  await clock.run(running, () => items[0].loaded > 0);
  engine.pause();
  await clock.pass(HOUR);
  assert.deepEqual([items[0].state, items[0].loaded, engine.sentBytes], ["registered", 0, 0]);
  assert.deepEqual(engine.waitingFor, { kind: "user", until: null });
  assert.equal(engine.isMovingBytes, true);
  engine.resume();
  await clock.run(running);

  assert.equal(items[0].state, "there");
  assert.equal(line.puts.length, 2);
  assert.equal(engine.sentBytes, 10);
});

test("bytes that arrived are told although the rest is paused", async () => {
  const { engine, items, clock } = slowRun({ a: 10, b: 10 });
  const running = engine.run();
  await clock.run(running, () => items[0].state === "sent");

  engine.pause();
  await clock.pass(HOUR);

  assert.equal(items[0].state, "there");
  engine.resume();
  await clock.run(running);
});

for (const where of ["queued", "checking", "registered", "sending"]) {
  test(`a document paused while ${where} waits alone, and goes on by itself`, async () => {
    const documents = manyDocuments(30);
    const { engine, items, clock, line } = slowRun(documents, { hashMs: 500 });
    const one = items[20];
    const running = engine.run();
    await clock.run(running, () => one.state === where && (where !== "queued" || one.id !== null));

    engine.pause([one]);
    await clock.pass(HOUR);
    assert.equal(one.paused, true);
    assert.deepEqual([engine.counts.there, engine.isMovingBytes], [29, true]);
    const sent = line.ofPath(one.path).length;
    engine.resume([one]);
    await clock.run(running);

    assert.deepEqual([one.state, one.paused, engine.counts.there], ["there", false, 30]);
    assert.equal(line.ofPath(one.path).length, sent + 1);
  });
}

test("pausing and resuming at once sends nothing twice", async () => {
  const { engine, items, clock, line } = slowRun(manyDocuments(30));
  const running = engine.run();
  for (let n = 0; n < 20; n += 1) {
    await clock.pass(150);
    engine.pause(items);
    engine.resume(items);
  }

  await clock.run(running);

  assert.equal(engine.counts.there, 30);
  assert.equal(line.server.objects.size, 30);
  assert.equal(engine.sentBytes, engine.totalBytes);
});

test("a document paused while its URL is renewed waits in line, and is sent once", async () => {
  const { engine, items, server, clock, line } = slowRun({ a: 10, b: 10 });
  line.before = async ({ path }) => {
    if (path === "a" && line.ofPath("a").length === 1) throw new ApiError({ status: 403 });
  };
  const running = engine.run();
  await clock.run(running, () => server.count("sign") === 2);

  engine.pause([items[0]]);
  await clock.pass(1);
  assert.equal(items[0].state, "registered");
  engine.resume([items[0]]);
  await clock.run(running);

  assert.deepEqual(statesOf(items), ["there", "there"]);
  assert.equal(line.ofPath("a").length, 2);
});

test("a pause takes hold while everybody waits for what was too much", async () => {
  const { engine, items, clock, line } = slowRun(manyDocuments(20));
  line.before = async () => {
    if (line.puts.length === 3) throw new ApiError({ status: 429, retryAfterMs: 60_000 });
  };
  const running = engine.run();
  await clock.run(running, () => engine.waitingFor?.kind === "rate_limit");

  engine.pause();
  await clock.pass(HOUR);
  assert.equal(engine.counts.sending, 0);
  assert.equal(engine.waitingFor.kind, "user");
  engine.resume();
  await clock.run(running);

  assert.ok(items.every(({ state }) => state === "there"));
});

test("hashing goes on without the line", async () => {
  const { engine, items, clock, hashed } = slowRun(manyDocuments(50));
  const running = engine.run();
  await clock.run(running, () => items.some(({ state }) => state === "checking"));

  engine.hold("offline");
  await clock.pass(HOUR);
  assert.equal(hashed.length, 50);
  engine.release("offline");
  await clock.run(running);
});

test("cancelling all ends every document and the run", async () => {
  const { engine, items, server, clock } = slowRun(manyDocuments(40));
  const running = engine.run();
  await clock.run(running, () => engine.counts.sending > 0);

  await clock.run(engine.cancel());
  await clock.run(running);

  assert.ok(items.every(({ state }) => state === "cancelled"));
  assert.equal(server.count("cancel"), 1);
  assert.deepEqual([engine.sentBytes, engine.totalBytes], [0, 0]);
});

test("cancelling all gets through to a server that was away", async () => {
  const { engine, server, clock } = slowRun({ a: 10 });
  const running = engine.run();
  await clock.run(running, () => engine.counts.sending > 0);
  server.troubles.push(new ApiError({ status: 503 }), new ApiError({ status: 0 }));

  await clock.run(engine.cancel());

  assert.equal(server.count("cancel"), 3);
  await running;
});

test("some are cancelled in windows, and the server is told of each that it knows", async () => {
  const { engine, items, server, clock } = slowRun(manyDocuments(1300));
  const running = engine.run();
  await clock.run(running, () => engine.counts.sending > 0);

  const some = items.slice(0, 1250);
  await clock.run(engine.cancel(some));
  await clock.run(running);

  const told = server.calls.filter(({ kind }) => kind === "cancelDocuments");
  assert.ok(told.every(({ size }) => size <= 500));
  assert.ok(told.length <= 4);
  assert.ok(some.every(({ state }) => ["cancelled", "there"].includes(state)));
  const statuses = some.map(({ path }) => server.documents.get(path).status);
  assert.ok(statuses.every((status, n) => (some[n].state === "cancelled") === (status === "cancelled")));
  assert.equal(engine.counts.cancelled + engine.counts.there, 1300);
});

test("a document cancelled while it was being listed is cancelled at the server too", async () => {
  const { engine, items, server, clock } = slowRun({ a: 10, b: 10 });
  const running = engine.run();
  await clock.run(running, () => server.count("list") === 1);
  assert.equal(items[0].id, null);

  await engine.cancel([items[0]]);
  await clock.run(running);

  assert.deepEqual(statesOf(items), ["cancelled", "there"]);
  assert.equal(server.documents.get("a").status, "cancelled");
});

test("a server that cannot be told of a cancelled document leaves a sentence", async () => {
  const { engine, items, server, clock } = slowRun({ a: 10, b: 10 });
  const running = engine.run();
  await clock.run(running, () => items[0].state === "sending");
  server.troubles.push(new ApiError({ status: 404, detail: "There is no such batch." }));

  await clock.run(engine.cancel([items[0]]));
  await clock.run(running);

  assert.equal(items[0].state, "cancelled");
  assert.match(items[0].error, /the server was not told: There is no such batch\.$/);
});

test("a cancelled document that is under way stops moving at once", async () => {
  const { engine, items, clock, line } = slowRun({ a: 10, b: 10 });
  const running = engine.run();
  await clock.run(running, () => items[0].state === "sending");

  const cancelled = engine.cancel([items[0]]);
  await clock.run(cancelled);
  assert.ok(line.active <= 1);
  await clock.run(running);

  assert.deepEqual(statesOf(items), ["cancelled", "there"]);
  assert.equal(engine.sentBytes, 10);
  assert.equal(engine.totalBytes, 10);
});

test("what failed is sent again by the same engine, also after its end", async () => {
  const { engine, items, clock, line, hashed } = slowRun({ a: 10, b: 10 });
  let isAway = true;
  line.before = async ({ path }) => {
    if (path === "a" && isAway) throw new ApiError({ status: 500 });
  };
  await clock.run(engine.run());
  assert.deepEqual(statesOf(items), ["failed", "there"]);
  assert.deepEqual([engine.isMoving, engine.totalBytes], [false, 10]);

  isAway = false;
  await clock.run(engine.retry());

  assert.deepEqual(statesOf(items), ["there", "there"]);
  assert.deepEqual([engine.sentBytes, engine.totalBytes], [20, 20]);
  assert.deepEqual([items[0].error, items[0].next], [null, null]);
  // It was not hashed twice: nothing says that it changed.
  assert.equal(hashed.filter((path) => path === "a").length, 1);
});

test("what changed on the disk is hashed again when it is retried", async () => {
  let isChanged = true;
  const { engine, items, clock, line, hashed } = slowRun({ a: 10 }, { readable: async () => !isChanged });
  line.before = async () => {
    if (isChanged) throw new ApiError({ status: 0 });
  };
  await clock.run(engine.run());
  assert.equal(items[0].error, GONE);

  isChanged = false;
  await clock.run(engine.retry());

  assert.equal(items[0].state, "there");
  assert.deepEqual(hashed, ["a", "a"]);
});

test("what failed may be retried while the others still go", async () => {
  const { engine, items, clock, line } = slowRun(manyDocuments(60));
  line.before = async ({ path }) => {
    if (path === items[0].path && line.ofPath(path).length === 1) throw new ApiError({ status: 400 });
  };
  const running = engine.run();
  await clock.run(running, () => items[0].state === "failed");

  engine.retry([items[0]]);
  await clock.run(running);

  assert.equal(engine.counts.there, 60);
});

test("what failed at the server is retried there", async () => {
  const { engine, items, server, clock } = slowRun({ a: 10, b: 10 });
  await clock.run(engine.run());
  items[0].status = "failed";

  await clock.run(engine.retry(items));

  assert.deepEqual(server.retried, ["id:a"]);
});

test("going offline pauses and coming back resumes", async () => {
  const page = Object.assign(new EventTarget(), { location: { hostname: "sluice.test" } });
  const { engine, items, clock } = slowRun({ a: 10 }, { page });
  const running = engine.run();
  await clock.run(running, () => items[0].state === "sending");

  page.dispatchEvent(new Event("offline"));
  await clock.pass(HOUR);
  assert.deepEqual(engine.waitingFor, { kind: "offline", until: null });
  page.dispatchEvent(new Event("online"));
  await clock.run(running);

  assert.equal(items[0].state, "there");
  page.dispatchEvent(new Event("offline"));
  assert.equal(engine.waitingFor, null);
});

test("a server on this very machine is reached although the browser is offline", async () => {
  const page = Object.assign(new EventTarget(), {
    location: { hostname: "127.0.0.1" }, navigator: { onLine: false },
  });
  const { engine, items, server, clock } = slowRun({ a: 10 }, { page });
  const answers = [false, true];
  server.isReachable = async () => answers.shift();

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.equal(answers.length, 0);
});

test("the counts are those of the states", async () => {
  const { engine, items, clock } = slowRun(manyDocuments(50));
  const running = engine.run();
  const counted = () => {
    const counts = Object.fromEntries(Object.keys(engine.counts).map((state) => [state, 0]));
    for (const { state } of items) counts[state] += 1;
    return counts;
  };

  for (let n = 0; n < 10; n += 1) {
    await clock.pass(400);
    assert.deepEqual(engine.counts, counted());
  }
  await clock.run(running);
});
