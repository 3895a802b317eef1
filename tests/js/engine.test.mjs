import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { Engine, makeItem } from "../../static/js/upload/engine.js";

const SOON = () => new Date(Date.now() + 300_000).toISOString();
const later = () => new Promise((resolve) => setImmediate(resolve));

// A server that keeps what it was told, and stores what was PUT.
class FakeServer {
  documents = new Map();
  objects = new Set();
  windows = [];
  refusals = new Map();
  expiresAt = SOON;

  async register(_batch, declarations) {
    this.windows.push(declarations.map(({ path }) => path));
    const documents = [];
    const errors = [];
    for (const { client_key, size, sha256 } of declarations) {
      const refusal = this.refusals.get(client_key);
      if (refusal) {
        errors.push({ client_key, ...refusal });
        continue;
      }
      const id = `id-${client_key}`;
      const known = this.documents.get(id) ?? { id, status: "awaiting", size, sha256 };
      this.documents.set(id, known);
      const upload = known.status === "awaiting"
        ? { url: id, headers: {}, expires_at: this.expiresAt() } : null;
      documents.push({ client_key, id, status: known.status, upload });
    }
    if (documents.length === 0) throw new ApiError({ status: 400, errors });
    return { documents, errors };
  }

  async complete(_batch, ids) {
    const documents = [];
    const errors = [];
    for (const id of ids) {
      if (!this.objects.has(id)) {
        errors.push({ id, code: "object_missing", detail: "The bytes have not arrived." });
        continue;
      }
      this.documents.get(id).status = "uploaded";
      documents.push({ id, status: "uploaded" });
    }
    return { documents, errors };
  }

  async cancel() {}
}

function makeEngine(names, { server = new FakeServer(), put } = {}) {
  const items = names.map((path) => makeItem({ path, blob: { size: 10, type: "text/plain" } }));
  const engine = new Engine({
    batch: "b", items, api: server,
    hash: async () => "0".repeat(64),
    wait: async () => {},
    put: put ?? (async ({ url }, blob, { onProgress }) => {
      onProgress(blob.size);
      server.objects.add(url);
    }),
  });
  return { engine, items, server };
}

test("every document arrives, and every byte is counted once", async () => {
  const { engine, items, server } = makeEngine(Array.from({ length: 60 }, (_, n) => `d/${n}.txt`));

  await engine.run();

  assert.ok(items.every(({ state, status }) => state === "there" && status === "uploaded"));
  assert.equal(server.objects.size, 60);
  assert.equal(engine.sentBytes, 600);
  assert.equal(engine.isMoving, false);
});

test("a window holds 500 documents at most", async () => {
  const { engine, server } = makeEngine(Array.from({ length: 1200 }, (_, n) => `${n}`));

  await engine.run();

  assert.ok(server.windows.every((window) => window.length <= 500));
  assert.equal(server.windows.flat().length, 1200);
});

test("a refused document keeps its sentence and the others go on", async () => {
  const { engine, items, server } = makeEngine(["a", "b"]);
  server.refusals.set("b", { code: "type_refused", detail: "b is a program." });

  await engine.run();

  assert.equal(items[0].state, "there");
  assert.equal(items[1].state, "refused");
  assert.equal(items[1].error, "b is a program.");
});

test("when all are refused each still has its own sentence", async () => {
  const { engine, items, server } = makeEngine(["a"]);
  server.refusals.set("a", { code: "invalid_path", detail: "That path." });

  await engine.run();

  assert.deepEqual([items[0].state, items[0].error], ["refused", "That path."]);
});

test("what the server has already is not sent again", async () => {
  let puts = 0;
  const { engine, items, server } = makeEngine(["a"], { put: async () => (puts += 1) });
  server.documents.set("id-a", { id: "id-a", status: "ready" });

  await engine.run();

  assert.equal(puts, 0);
  assert.deepEqual([items[0].state, items[0].status], ["there", "ready"]);
});

test("an expired URL is renewed and the PUT repeated", async () => {
  const server = new FakeServer();
  let puts = 0;
  const { engine, items } = makeEngine(["a"], {
    server,
    put: async ({ url }) => {
      puts += 1;
      if (puts === 1) throw new ApiError({ status: 403 });
      server.objects.add(url);
    },
  });

  await engine.run();

  assert.equal(items[0].state, "there");
  assert.equal(server.windows.length, 2);
});

test("a URL about to expire is renewed before it is used", async () => {
  const server = new FakeServer();
  server.expiresAt = () => {
    server.expiresAt = SOON;
    return new Date(Date.now() + 1000).toISOString();
  };
  const { engine, items } = makeEngine(["a"], { server });

  await engine.run();

  assert.equal(items[0].state, "there");
  assert.equal(server.windows.length, 2);
});

test("bytes that are there already count as arrived", async () => {
  const server = new FakeServer();
  const { engine, items } = makeEngine(["a"], {
    server,
    put: async ({ url }) => {
      server.objects.add(url);
      throw new ApiError({ status: 412 });
    },
  });

  await engine.run();

  assert.equal(items[0].state, "there");
});

test("a PUT is tried five times, then the document says why", async () => {
  let puts = 0;
  const { engine, items } = makeEngine(["a"], {
    put: async () => {
      puts += 1;
      throw new ApiError({ status: 500, detail: "Storage is away." });
    },
  });

  await engine.run();

  assert.equal(puts, 5);
  assert.deepEqual([items[0].state, items[0].error], ["failed", "Storage is away."]);
});

test("bytes that the server does not see are sent once more", async () => {
  const server = new FakeServer();
  let puts = 0;
  const { engine, items } = makeEngine(["a"], {
    server,
    put: async ({ url }) => {
      puts += 1;
      if (puts === 2) server.objects.add(url);
    },
  });

  await engine.run();

  assert.equal(puts, 2);
  assert.equal(items[0].state, "there");
});

test("a pause stops what is in flight, and resuming sends it from the start", async () => {
  const server = new FakeServer();
  let release;
  let puts = 0;
  const { engine, items } = makeEngine(["a"], {
    server,
    put: ({ url }, _blob, { signal }) => {
      puts += 1;
      if (puts > 1) {
        server.objects.add(url);
        return Promise.resolve();
      }
      return new Promise((_resolve, reject) => {
        release = () => {};
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });

  const running = engine.run();
  while (!release) await new Promise((resolve) => setTimeout(resolve, 10));
  engine.hold("user");
  await later();
  assert.equal(items[0].state, "registered");
  engine.release("user");
  await running;

  assert.equal(items[0].state, "there");
  assert.equal(engine.sentBytes, 10);
});

test("cancelling ends every document and the run", async () => {
  const { engine, items } = makeEngine(["a", "b"], {
    put: (_upload, _blob, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  });

  const running = engine.run();
  while (items[0].state !== "sending") await new Promise((resolve) => setTimeout(resolve, 10));
  await engine.cancel();
  await running;

  assert.deepEqual(items.map(({ state }) => state), ["cancelled", "cancelled"]);
});

test("a document that cannot be read fails alone", async () => {
  const { engine, items } = makeEngine(["a", "b"]);
  engine.hash = async (blob) => {
    if (blob === items[0].blob) throw new Error("gone");
    return "0".repeat(64);
  };

  await engine.run();

  assert.deepEqual(items.map(({ state }) => state), ["failed", "there"]);
});

test("news of a document may overtake the answer that completes it", async () => {
  const server = new FakeServer();
  const { engine, items } = makeEngine(["a"], { server });
  const complete = server.complete.bind(server);
  server.complete = async (...given) => {
    items[0].status = "processing";
    return complete(...given);
  };

  await engine.run();

  assert.deepEqual([items[0].state, items[0].status], ["there", "processing"]);
  assert.equal(engine.isMoving, false);
});
