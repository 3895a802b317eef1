import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { FakeServer, Line, makeRun, manyDocuments } from "./simulation.mjs";

const COUNT = 5000;
// Small ones and some of a few megabytes, as a drop is.
const sizeOf = (n) => (n % 50 === 0 ? 3_000_000 + n : 20_000 + n);

test("5,000 documents go in full windows, each once, with few URLs ahead", async () => {
  const { engine, items, server, clock, line } = makeRun(manyDocuments(COUNT, sizeOf));
  const begun = clock.at;

  await clock.run(engine.run());

  const seconds = (clock.at - begun) / 1000;
  assert.equal(engine.counts.there, COUNT);
  assert.equal(server.count("list"), COUNT / 500);
  assert.ok(server.count("sign") <= COUNT / 500 + 5, `${server.count("sign")} windows signed`);
  assert.ok(server.count("complete") <= seconds + 2, `${server.count("complete")} told`);
  assert.equal(line.puts.length, COUNT);
  assert.equal(new Set(line.puts.map(({ path }) => path)).size, COUNT);
  assert.ok(server.mostUnused <= 610, `${server.mostUnused} URLs at once`);
  assert.ok(line.most <= 6);
  assert.equal(engine.sentBytes, items.reduce((sum, { size }) => sum + size, 0));
});

test("a slow line has URLs only for what it sends within a minute or so", async () => {
  const server = new FakeServer();
  const line = new Line(server, { bytesPerSecond: 1_000_000 });
  const { engine, clock } = makeRun(manyDocuments(600, () => 1_000_000), { server, line });

  await clock.run(engine.run());

  assert.equal(engine.counts.there, 600);
  assert.ok(server.mostUnused <= 100, `${server.mostUnused} URLs at once`);
  // None ran out before it was used.
  assert.equal(line.puts.length, 600);
});

test("what is signed ahead is bounded by bytes too: no URL runs out in the line", async () => {
  const server = new FakeServer();
  const line = new Line(server, { bytesPerSecond: 1_000_000 });
  const sizes = manyDocuments(300, (n) => (n < 200 ? 1000 : 6_000_000));
  const { engine, clock } = makeRun(sizes, { server, line });

  await clock.run(engine.run());

  assert.equal(engine.counts.there, 300);
  assert.ok(server.urls <= 320, `${server.urls} URLs signed`);
});

test("a killed tab is gone on with by a drop of the same, and only the gaps are sent", async () => {
  const server = new FakeServer();
  const count = 2500;
  const documents = manyDocuments(count, () => 20_000);
  const killed = makeRun(documents, { server });
  await server.clock.run(killed.engine.run(), () => killed.engine.counts.there > 1000);
  killed.engine.hold("killed");
  const stored = server.objects.size;

  const { engine, clock, line, hashed } = makeRun(documents, { server });
  await clock.run(engine.run());

  assert.equal(engine.counts.there, count);
  assert.ok(stored > 1000 && stored < count);
  // What was sent and not told yet is refused by the store as there already: no more than that.
  const gaps = count - stored;
  assert.ok(line.puts.length >= gaps && line.puts.length <= gaps + 300, String(line.puts.length));
  assert.equal(server.objects.size, count);
  assert.ok(hashed.length < count - 1000);
});

test("documents arrive through storms of every kind, none stored twice", async () => {
  const count = 1500;
  const { engine, server, clock, line } = makeRun(manyDocuments(count, () => 20_000));
  let number = 0;
  line.before = async ({ url }) => {
    number += 1;
    if (number % 41 === 0) throw new ApiError({ status: 503 });
    if (number % 67 === 0) throw new ApiError({ status: 403 });
    if (number % 301 === 0) throw new ApiError({ status: 429, retryAfterMs: 2000 });
    // Stored, and the answer is lost.
    if (number % 97 === 0) {
      server.objects.set(server.grantOf(url).document.id, 20_000);
      throw new ApiError({ status: 0 });
    }
  };
  const register = server.register.bind(server);
  server.register = async (...given) => {
    if (server.calls.length % 7 === 3) server.troubles.push(new ApiError({ status: 503 }));
    return register(...given);
  };

  await clock.run(engine.run());

  assert.equal(engine.counts.there, count);
  assert.equal(server.objects.size, count);
  assert.equal(engine.sentBytes, engine.totalBytes);
});
