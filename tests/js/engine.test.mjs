import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { HashingUnavailable } from "../../static/js/upload/hasher.js";
import { GONE } from "../../static/js/upload/reading.js";
import { FakeServer, Line, fakeBlob, hashOf, makeRun, manyDocuments, statesOf } from "./simulation.mjs";

test("every document arrives, and every byte is counted once", async () => {
  const { engine, items, server, clock } = makeRun(manyDocuments(60, () => 10));

  await clock.run(engine.run());

  assert.ok(items.every(({ state, status }) => state === "there" && status === "uploaded"));
  assert.equal(server.objects.size, 60);
  assert.deepEqual([engine.sentBytes, engine.totalBytes], [600, 600]);
  assert.equal(engine.isMoving, false);
});

test("every path is listed before anything is hashed, signed or sent", async () => {
  const { engine, server, clock, hashed, line } = makeRun(manyDocuments(1200));

  const running = engine.run();
  await clock.run(running, () => hashed.length > 0);

  assert.deepEqual(server.calls.map(({ kind, size }) => [kind, size]), [
    ["list", 500], ["list", 500], ["list", 200],
  ]);
  assert.equal(server.documents.size, 1200);
  assert.equal(line.puts.length, 0);
  assert.deepEqual(engine.manifest, { done: 1200, total: 1200 });
  await clock.run(running);
});

test("the hash is told once it is known, and the type only at first", async () => {
  const { engine, server, clock } = makeRun({ "a.txt": 10 });
  const said = [];
  const register = server.register.bind(server);
  server.register = async (batch, declarations, options) => {
    said.push([options.sign, ...Object.keys(declarations[0])]);
    return register(batch, declarations, options);
  };

  await clock.run(engine.run());

  assert.deepEqual(said, [
    [false, "client_key", "path", "size", "content_type"],
    [true, "client_key", "path", "size", "sha256"],
  ]);
});

test("first bytes move while the rest is still being hashed", async () => {
  const { engine, items, clock, hashed, line } = makeRun(manyDocuments(300), { hashMs: 100 });

  const running = engine.run();
  await clock.run(running, () => line.puts.length > 0);

  assert.ok(hashed.length < 100, `${hashed.length} were hashed`);
  await clock.run(running);
  assert.equal(items.filter(({ state }) => state === "there").length, 300);
});

test("small documents go first and a large one is begun in time", async () => {
  const megabyte = 2 ** 20;
  const sizes = { ...manyDocuments(400, (n) => 1000 + n), "huge.pdf": 200 * megabyte };
  for (let n = 0; n < 3; n += 1) sizes[`big-${n}.pdf`] = (20 + n) * megabyte;
  const { engine, clock, line } = makeRun(sizes, { hashMs: 5 });

  await clock.run(engine.run());

  const order = line.puts.map(({ path }) => path);
  assert.equal(order.slice(0, 3).filter((path) => path.startsWith("d")).length, 2);
  assert.ok(order.indexOf("huge.pdf") < 60, `huge.pdf was number ${order.indexOf("huge.pdf")}`);
});

test("a refused document keeps its sentence and the others go on", async () => {
  const { engine, items, server, clock } = makeRun({ a: 1, b: 1 });
  server.refusals.set("b", { code: "type_refused", detail: "b is a program." });

  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["there", "refused"]);
  assert.deepEqual([items[1].error, items[1].next], ["b is a program.", "It is not tried again."]);
  assert.equal(engine.totalBytes, 1);
});

test("when all are refused each still has its own sentence", async () => {
  const { engine, items, server, clock } = makeRun({ a: 1 });
  server.refusals.set("a", { code: "invalid_path", detail: "That path." });

  await clock.run(engine.run());

  assert.deepEqual([items[0].state, items[0].error], ["refused", "That path."]);
});

test("bytes that the workspace stores already are not sent", async () => {
  const { engine, items, clock, line } = makeRun({
    "a.txt": fakeBlob(10, { bytes: "same" }), "b.txt": fakeBlob(10, { bytes: "same" }),
  }, { server: storing("same") });

  await clock.run(engine.run());

  assert.equal(line.puts.length, 0);
  assert.deepEqual(items.map(({ state, status }) => [state, status]), [
    ["there", "duplicate"], ["there", "duplicate"],
  ]);
  assert.equal(engine.sentBytes, 20);
});

function storing(bytes) {
  const server = new FakeServer();
  server.stored.set(hashOf("", fakeBlob(0, { bytes })), "original");
  return server;
}

test("bytes that are there already count as arrived", async () => {
  const { engine, items, server, clock, line } = makeRun({ a: 10 });
  line.before = async ({ url }) => server.objects.set(server.grantOf(url).document.id, 10);

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.equal(line.puts.length, 1);
});

test("bytes that the server does not see are sent once more", async () => {
  const { engine, items, server, clock, line } = makeRun({ a: 10 });
  const complete = server.complete.bind(server);
  server.complete = async (...given) => {
    if (line.puts.length === 1) server.objects.clear();
    return complete(...given);
  };

  await clock.run(engine.run());

  assert.equal(line.puts.length, 2);
  assert.equal(items[0].state, "there");
  assert.equal(engine.sentBytes, 10);
});

test("bytes that never show up end with the server's sentence", async () => {
  const { engine, items, server, clock, line } = makeRun({ a: 10 });
  server.store = () => {};

  await clock.run(engine.run());

  assert.equal(line.puts.length, 2);
  assert.deepEqual([items[0].state, items[0].error], ["failed", "The bytes have not arrived."]);
});

test("a document that cannot be read fails alone and says why", async () => {
  const { engine, items, clock } = makeRun({ a: 1, b: 1 }, {
    hash: async (blob) => {
      if (blob === gone) throw new Error("NotFoundError");
      return "0".repeat(64);
    },
  });
  const gone = items[0].blob;

  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["failed", "there"]);
  assert.equal(items[0].error, GONE);
});

test("a document that changed while it was sent fails alone and without more tries", async () => {
  const { engine, items, clock, line } = makeRun({ a: 10, b: 10 }, {
    readable: async (blob) => blob !== items[0].blob,
  });
  line.before = async ({ path }) => {
    if (path === "a") throw new ApiError({ status: 0 });
  };

  await clock.run(engine.run());

  assert.deepEqual(statesOf(items), ["failed", "there"]);
  assert.equal(items[0].error, GONE);
  assert.equal(line.ofPath("a").length, 1);
});

test("where no worker can hash, documents go without a hash", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 }, {
    hash: async () => {
      throw new HashingUnavailable("no workers");
    },
  });

  await clock.run(engine.run());

  assert.equal(items[0].state, "there");
  assert.equal(server.documents.get("a").sha256, null);
});

test("news of a document may overtake the answer that completes it", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 });
  const complete = server.complete.bind(server);
  server.complete = async (...given) => {
    items[0].status = "processing";
    return complete(...given);
  };

  await clock.run(engine.run());

  assert.deepEqual([items[0].state, items[0].status], ["there", "processing"]);
});

test("the tab may be closed once the bytes are there, and the run ends with the last answer", async () => {
  const { engine, items, server, clock } = makeRun({ a: 10 });
  server.latencyMs = 500;

  const running = engine.run();
  await clock.run(running, () => items[0].state === "sent");

  assert.deepEqual([engine.isMovingBytes, engine.isMoving], [false, true]);
  await clock.run(running);
  assert.deepEqual([engine.isMovingBytes, engine.isMoving], [false, false]);
});

test("the last ones are told at once, not at the next second", async () => {
  const { engine, server, clock } = makeRun(manyDocuments(3));
  const begun = clock.at;

  await clock.run(engine.run());

  assert.equal(server.count("complete"), 1);
  assert.ok(clock.at - begun < 500, `${clock.at - begun} ms`);
});

test("of several large documents one goes along at a time, also when one fails", async () => {
  const megabyte = 2 ** 20;
  const sizes = manyDocuments(300, () => 500_000);
  for (let n = 0; n < 3; n += 1) sizes[`big-${n}.pdf`] = (20 + n) * megabyte;
  const { engine, clock, line } = makeRun(sizes, { hashMs: 0.1 });
  line.before = async ({ path }) => {
    if (path === "big-2.pdf") throw new ApiError({ status: 400 });
  };

  await clock.run(engine.run());

  const order = line.puts.map(({ path }) => path);
  const [first, second, third] = [2, 1, 0].map((n) => order.indexOf(`big-${n}.pdf`));
  assert.ok(first < second && second < third && third < 200, String([first, second, third]));
  assert.deepEqual([engine.counts.failed, engine.counts.there], [1, 302]);
});

test("what has ended keeps neither its bytes nor its URL", async () => {
  const { engine, items, clock } = makeRun(manyDocuments(30));

  await clock.run(engine.run());

  for (const item of items) {
    assert.equal(item.upload, null);
    assert.equal(item.blob.slice, undefined);
    assert.equal(item.blob.size, item.size);
  }
});

test("changes are told once a frame, as a set", async () => {
  const frames = [];
  const told = [];
  const { engine, items, clock } = makeRun(manyDocuments(40), {
    frame: (run) => frames.push(run),
    onChange: (changed) => told.push(changed),
  });

  await clock.run(engine.run());
  assert.equal(frames.length, 1);
  frames[0]();

  assert.equal(told.length, 1);
  assert.deepEqual(new Set(items), told[0]);
});

test("the pace and the time left are known after the first seconds, and gone at the end", async () => {
  const server = new FakeServer();
  const line = new Line(server, { bytesPerSecond: 1_000_000 });
  const { engine, clock } = makeRun(manyDocuments(400, () => 100_000), { server, line });

  assert.deepEqual([engine.bytesPerSecond, engine.secondsLeft], [null, null]);
  const running = engine.run();
  await clock.run(running, () => engine.sentBytes > 20_000_000);
  const [low, high] = engine.secondsLeft;

  const left = 20;
  assert.ok(low < left && left < high && high < 3 * left, `${low} to ${high} s`);
  assert.ok(Math.abs(engine.bytesPerSecond - 1_000_000) < 300_000, String(engine.bytesPerSecond));
  await clock.run(running);
  assert.equal(engine.secondsLeft, null);
});
