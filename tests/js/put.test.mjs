import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { put } from "../../static/js/upload/put.js";

// The request as the browser has it; the test decides what becomes of it.
class FakeRequest extends EventTarget {
  static latest = null;
  upload = new EventTarget();
  headers = {};
  status = 0;
  responseText = "";
  constructor() {
    super();
    FakeRequest.latest = this;
  }
  open(method, url) {
    Object.assign(this, { method, url });
  }
  setRequestHeader(name, value) {
    this.headers[name] = value;
  }
  getResponseHeader(name) {
    return name === "Retry-After" ? this.retryAfter ?? null : null;
  }
  send(blob) {
    this.blob = blob;
  }
  abort() {
    this.dispatchEvent(new Event("abort"));
  }
  move(loaded) {
    this.upload.dispatchEvent(Object.assign(new Event("progress"), { loaded }));
  }
  answer(status, text = "") {
    Object.assign(this, { status, responseText: text });
    this.dispatchEvent(new Event("load"));
  }
}

globalThis.XMLHttpRequest = FakeRequest;
const upload = { url: "https://store.test/1", headers: { "Content-Type": "text/plain", "Content-Length": "3" } };

function begin(controller = new AbortController()) {
  const seen = [];
  const done = put(upload, "abc", { signal: controller.signal, onProgress: (n) => seen.push(n) });
  return { done, seen, controller, request: FakeRequest.latest };
}

afterEach(() => (FakeRequest.latest = null));

test("the bytes go with the signed headers, save for what browsers set themselves", async () => {
  const { done, seen, request } = begin();
  request.move(2);
  request.answer(200);

  await done;
  assert.deepEqual([request.method, request.url, request.blob], ["PUT", upload.url, "abc"]);
  assert.deepEqual(request.headers, { "Content-Type": "text/plain" });
  assert.deepEqual(seen, [2]);
});

test("a refusal carries its status, its code and how long to wait", async () => {
  const { done, request } = begin();
  request.retryAfter = "7";
  request.answer(503, "<Error><Code>SlowDown</Code></Error>");

  await assert.rejects(done, { status: 503, code: "SlowDown", kind: "server", retryAfterMs: 7000 });
});

test("a lost line is an error of the network", async () => {
  const { done, request } = begin();
  request.dispatchEvent(new Event("error"));

  await assert.rejects(done, { kind: "network" });
});

test("whoever stops it gets back the reason", async () => {
  const held = new Error("held");
  const { done, controller } = begin();
  controller.abort(held);
  await assert.rejects(done, (error) => error === held);

  const before = FakeRequest.latest;
  const stopped = new AbortController();
  stopped.abort(held);
  await assert.rejects(begin(stopped).done, (error) => error === held);
  assert.equal(FakeRequest.latest, before);
});

test("a line that stands still for a minute counts as lost", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { done, request } = begin();
  context.mock.timers.tick(50_000);
  request.move(1);
  context.mock.timers.tick(50_000);
  assert.equal(await Promise.race([done, Promise.resolve("moving")]), "moving");
  context.mock.timers.tick(10_000);

  await assert.rejects(done, { kind: "network" });
});
