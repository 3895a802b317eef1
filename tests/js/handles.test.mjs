import assert from "node:assert/strict";
import { test } from "node:test";

import {
  forgetHandles, handlesOf, handlesOfDrop, rememberHandles, resumeHandles, walkHandles,
} from "../../static/js/upload/handles.js";

// As much of IndexedDB as a store of values by key needs.
class FakeIndexedDb {
  #stores = null;

  open() {
    const isNew = this.#stores === null;
    this.#stores ??= new Map();
    const database = {
      createObjectStore: (name) => this.#stores.set(name, new Map()),
      transaction: (name) => ({ objectStore: () => this.#store(name) }),
      close: () => (this.closed = (this.closed ?? 0) + 1),
    };
    return answer(database, (request) => isNew && request.onupgradeneeded());
  }

  #store(name) {
    const kept = this.#stores.get(name);
    return {
      put: (value, key) => answer(kept.set(key, value) && key),
      get: (key) => answer(kept.get(key)),
      delete: (key) => answer(void kept.delete(key)),
    };
  }
}

function answer(result, first = () => {}) {
  const request = { result };
  setImmediate(() => {
    first(request);
    request.onsuccess();
  });
  return request;
}

const document = (name) => ({ kind: "file", name, getFile: async () => ({ name, size: 3 }) });
const folder = (name, children, permission = "granted") => ({
  kind: "directory", name,
  async *values() {
    yield* children;
  },
  queryPermission: async () => (permission === "granted" ? "granted" : "prompt"),
  requestPermission: async () => permission,
});

async function collect(walk) {
  const found = [];
  for await (const entry of walk) found.push(entry);
  return found;
}

test("the folders of a batch are remembered, given back, and forgotten", async () => {
  const idb = new FakeIndexedDb();
  const tree = folder("drop", []);

  await rememberHandles("b", [tree], { idb });
  assert.deepEqual(await handlesOf("b", { idb }), [tree]);
  assert.deepEqual(await handlesOf("other", { idb }), []);
  await forgetHandles("b", { idb });

  assert.deepEqual(await handlesOf("b", { idb }), []);
  assert.equal(idb.closed, 5);
});

test("a browser without the store remembers nothing and does not fail", async () => {
  await rememberHandles("b", [folder("drop", [])], { idb: undefined });
  await forgetHandles("b", { idb: undefined });
  assert.deepEqual(await handlesOf("b", { idb: undefined }), []);
});

test("only folders that a person allows are gone on with", async () => {
  const idb = new FakeIndexedDb();
  const [open, asked, closed] = ["granted", "granted", "denied"].map((permission, n) =>
    folder(`f${n}`, [], permission));
  asked.queryPermission = async () => "prompt";
  await rememberHandles("b", [open, asked, closed], { idb });

  assert.deepEqual(await resumeHandles("b", { idb }), [open, asked]);
});

test("handles are walked in the shape of a drop", async () => {
  const many = Array.from({ length: 230 }, (_, n) => document(`${n}.txt`));
  const gone = { ...document("gone.txt"), getFile: async () => assert.fail("NotFoundError") };
  const closed = {
    ...folder("closed", []),
    values: async function* values() {
      throw new Error("denied");
    },
  };
  const tree = folder("drop", [
    ...many, folder("sub", [document("u\u0308.txt")]), gone, document(".DS_Store"),
    folder("node_modules", [document("x.js")]), closed,
  ]);

  const found = await collect(walkHandles([tree, document("single.txt")]));

  assert.equal(found.filter(({ blob }) => blob).length, 232);
  assert.deepEqual(found.slice(230).map(({ path, junk, unreadable }) => [path ?? junk, Boolean(unreadable)]), [
    ["drop/sub/\u00fc.txt", false], ["drop/gone.txt", true], ["drop/.DS_Store", false],
    ["drop/node_modules", false], ["drop/closed", true], ["single.txt", false],
  ]);
});

test("the handles of a drop are taken where the browser gives them", async () => {
  const tree = folder("drop", []);
  const items = [
    { kind: "file", getAsFileSystemHandle: async () => tree },
    { kind: "file", getAsFileSystemHandle: async () => assert.fail("not allowed") },
    { kind: "string" }, { kind: "file" },
  ];

  assert.deepEqual(await handlesOfDrop({ items }), [tree]);
});
