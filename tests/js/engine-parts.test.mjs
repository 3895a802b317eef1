import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { storedBytes } from "../../static/js/upload/parts.js";
import { FakeServer, Line, makeRun, statesOf } from "./simulation.mjs";

// Documents above 32 bytes go in parts of 16.
function partsRun(documents, { server = new FakeServer(), ...options } = {}) {
  server.multipartBytes = 32;
  return makeRun(documents, { server, line: new Line(server, { latencyMs: 1000 }), ...options });
}

const numbers = (line) => line.puts.map(({ number }) => number);

test("a large document goes in parts, one after another, the last one shorter", async () => {
  const { engine, items, server, clock, line } = partsRun({ "big.pdf": 70 });
  let most = 0;
  line.before = async () => (most = Math.max(most, line.active));

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual(numbers(line), [1, 2, 3, 4, 5]);
  assert.deepEqual([...server.objects.get("id:big.pdf").values()], [16, 16, 16, 16, 6]);
  assert.equal(most, 1);
  assert.equal(engine.sentBytes, 70);
});

test("progress is that of the whole document and never runs back", async () => {
  const { engine, items, clock } = partsRun({ "big.pdf": 70 });
  const seen = [];
  const running = engine.run();

  await clock.run(running, () => {
    if (seen.at(-1) !== items[0].loaded) seen.push(items[0].loaded);
    return false;
  });

  assert.deepEqual(seen, [...seen].sort((one, other) => one - other));
  assert.ok(seen.includes(16 + 8) && seen.includes(70), String(seen));
});

test("a part is tried five times, and the next one has all its tries again", async () => {
  const { engine, items, clock, line } = partsRun({ "big.pdf": 70 });
  const tried = new Map();
  line.before = async ({ number }) => {
    tried.set(number, (tried.get(number) ?? 0) + 1);
    if (number < 3 && tried.get(number) < 5) throw new ApiError({ status: 503 });
  };

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual([...tried.values()], [5, 5, 1, 1, 1]);
});

test("more URLs are asked for when those given are used up", async () => {
  const server = new FakeServer();
  server.partsAtOnce = 2;
  const { engine, items, clock, line } = partsRun({ "big.pdf": 70 }, { server });

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual(numbers(line), [1, 2, 3, 4, 5]);
  assert.equal(server.count("sign"), 3);
});

test("parts whose URLs ran out get fresh ones, and go on where they were", async () => {
  const { engine, items, server, clock, line } = partsRun({ "big.pdf": 70 });
  server.lifeMs = 2500;

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual([...new Set(numbers(line))], [1, 2, 3, 4, 5]);
  assert.ok(line.puts.length <= 7, String(numbers(line)));
});

test("a URL refused with 403 is renewed for the part that it was for", async () => {
  const { engine, items, clock, line } = partsRun({ "big.pdf": 70 });
  line.before = async ({ number }) => {
    if (number === 3 && line.puts.filter((put) => put.number === 3).length === 1) {
      throw new ApiError({ status: 403 });
    }
  };

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual(numbers(line), [1, 2, 3, 3, 4, 5]);
});

test("a pause loses at most the part that was in flight", async () => {
  const { engine, items, clock, line } = partsRun({ "big.pdf": 70 });
  const running = engine.run();
  await clock.run(running, () => numbers(line).includes(3));

  engine.pause(items);
  await clock.pass(1000);
  assert.equal(items[0].loaded, 32);
  engine.resume();
  await clock.run(running);

  assert.equal(items[0].state, "there");
  assert.deepEqual(numbers(line), [1, 2, 3, 3, 4, 5]);
});

test("the last part is shorter, also when it is there before others", () => {
  const upload = { multipart: { part_size: 16, parts: [], done: [1, 5] } };
  assert.equal(storedBytes(upload, 70), 22);
  assert.equal(storedBytes({ url: "one" }, 70), 0);
});

test("a killed tab moves at most one part twice when the same is dropped again", async () => {
  const server = new FakeServer();
  const killed = partsRun({ "big.pdf": 160, "small.txt": 10 }, { server });
  await server.clock.run(killed.engine.run(), () => numbers(killed.line).includes(6));
  killed.engine.hold("killed");

  const { engine, items, clock, line } = partsRun({ "big.pdf": 160, "small.txt": 10 }, { server });
  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["there", "there"]);
  assert.deepEqual(line.ofPath("big.pdf").map(({ number }) => number), [6, 7, 8, 9, 10]);
  assert.equal(engine.sentBytes, 170);
});

test("too many requests hold the next part too", async () => {
  const { engine, items, clock, line } = partsRun({ "big.pdf": 70, "other.txt": 10 });
  line.before = async ({ path }) => {
    if (path === "other.txt" && line.ofPath(path).length === 1) {
      throw new ApiError({ status: 429, retryAfterMs: 30_000 });
    }
  };
  const running = engine.run();
  await clock.run(running, () => engine.waitingFor?.kind === "rate_limit");
  const heldAt = clock.at;
  const { until } = engine.waitingFor;
  await clock.run(running);

  assert.deepEqual(line.puts.filter(({ at }) => at > heldAt && at < until), []);
  assert.deepEqual(statesOf(items), ["there", "there"]);
});

test("a part that the store lost is sent again when the whole is told", async () => {
  const { engine, items, server, clock, line } = partsRun({ "big.pdf": 70 });
  const complete = server.complete.bind(server);
  server.complete = async (...given) => {
    if (server.count("complete") === 0) server.objects.get("id:big.pdf").delete(2);
    return complete(...given);
  };

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.deepEqual(numbers(line), [1, 2, 3, 4, 5, 2]);
});

test("a server that gives no URL for missing parts ends it with a sentence", async () => {
  const server = new FakeServer();
  server.partsAtOnce = 0;
  const { engine, items, clock } = partsRun({ "big.pdf": 70 }, { server });

  await clock.run(engine.run());

  assert.deepEqual([items[0].state, items[0].error], ["failed", "The server gave no URL."]);
});
