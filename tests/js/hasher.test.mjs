import assert from "node:assert/strict";
import { test } from "node:test";

import { Hasher, HashingUnavailable, poolSize } from "../../static/js/upload/hasher.js";

// A worker as the page sees it: answers when told to.
class FakeWorker extends EventTarget {
  tasks = [];
  postMessage(data) {
    this.tasks.push(data);
  }
  answer(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
  breakDown() {
    this.dispatchEvent(new Event("error"));
  }
}

function makeHasher(size) {
  const workers = [];
  const hasher = new Hasher("hash-worker.js", {
    size,
    makeWorker: () => {
      workers.push(new FakeWorker());
      return workers.at(-1);
    },
  });
  return { hasher, workers };
}

test("the pool has a worker for each core, two to eight", () => {
  assert.deepEqual([undefined, 1, 4, 64].map((cores) => poolSize(cores)), [2, 2, 4, 8]);
});

test("a worker has one blob at a time and the next waits", async () => {
  const { hasher, workers } = makeHasher(2);

  const hashed = ["a", "b", "c"].map((blob) => hasher.hash(blob));
  assert.deepEqual(workers.map(({ tasks }) => tasks.length), [1, 1]);
  workers[0].answer({ sha256: "1" });
  assert.deepEqual(workers[0].tasks.length, 2);
  workers[0].answer({ sha256: "2" });
  workers[1].answer({ sha256: "3" });

  assert.deepEqual((await Promise.all(hashed)).sort(), ["1", "2", "3"]);
});

test("a blob that cannot be read is told, and the worker goes on", async () => {
  const { hasher, workers } = makeHasher(1);

  const gone = hasher.hash("a");
  const fine = hasher.hash("b");
  workers[0].answer({ error: "NotFoundError" });
  workers[0].answer({ sha256: "2" });

  await assert.rejects(gone, /NotFoundError/);
  assert.equal(await fine, "2");
});

test("workers that broke down before they were asked leave nobody waiting", async () => {
  const { hasher, workers } = makeHasher(2);
  workers[0].breakDown();
  const first = hasher.hash("a");
  const second = hasher.hash("b");
  assert.equal(workers[0].tasks.length, 0);

  workers[1].breakDown();

  await assert.rejects(first, HashingUnavailable);
  await assert.rejects(second, HashingUnavailable);
  await assert.rejects(hasher.hash("c"), HashingUnavailable);
});
