import assert from "node:assert/strict";
import { test } from "node:test";

import { Api, ApiError, kindOfStatus, nextStep, parseRetryAfter, readCsrfToken } from "../../static/js/api.js";
import { fullJitter, retryDelay } from "../../static/js/backoff.js";

const answer = (status, body = {}, headers = {}) =>
  new Response(JSON.stringify(body), {
    status, headers: { "content-type": "application/problem+json", ...headers },
  });

function apiWith(...answers) {
  const calls = [];
  const waits = [];
  const api = new Api({
    csrfToken: () => "token",
    wait: async (ms) => waits.push(ms),
    fetch: async (url, options) => {
      calls.push({ url, ...options });
      const next = answers.shift();
      if (next instanceof Error) throw next;
      return next;
    },
  });
  return { api, calls, waits };
}

test("a call carries the CSRF token and its body as JSON", async () => {
  const { api, calls } = apiWith(answer(201, { id: "b" }));

  await api.createBatch("Reports", 3);

  assert.equal(calls[0].headers["X-CSRFToken"], "token");
  assert.deepEqual(JSON.parse(calls[0].body), { name: "Reports", expected_documents: 3 });
});

test("a server that is away is asked three times", async () => {
  const { api, calls } = apiWith(answer(503), answer(500), answer(200, { fine: true }));

  assert.deepEqual(await api.events("b", 0), { fine: true });
  assert.equal(calls.length, 3);
});

test("a refusal is not repeated and keeps the server's sentence", async () => {
  const { api, calls } = apiWith(answer(400, { code: "invalid_path", detail: "No." }));

  await assert.rejects(api.register("b", []), { kind: "invalid", code: "invalid_path", message: "No." });
  assert.equal(calls.length, 1);
});

test("too many requests wait as long as the server says, and a little longer", async () => {
  const { api, waits } = apiWith(answer(429, {}, { "retry-after": "7" }), answer(200));

  await api.events("b", 0);

  assert.ok(waits[0] >= 7000 && waits[0] <= 8000, String(waits[0]));
});

test("a lost connection is of the class network", async () => {
  const lost = new TypeError("failed to fetch");
  const { api } = apiWith(lost, lost, lost);

  await assert.rejects(api.events("b", 0), { kind: "network" });
});

test("an answer that is no JSON is of the class unknown, a cut one of the class network", async () => {
  const page = new Response("<html>Sign in to the train's Wi-Fi", { status: 200 });
  const cut = new Response(new ReadableStream({ start: (body) => body.error(new TypeError("cut")) }));

  await assert.rejects(apiWith(page).api.events("b", 0), { kind: "unknown" });
  await assert.rejects(apiWith(cut).api.request("GET", "/x", { tries: 1 }), { kind: "network" });
});

test("an error is a sentence, and what comes next is another", () => {
  const kinds = [429, 0, 503, 404, 302].map((status) => new ApiError({ status }));

  for (const error of kinds) assert.match(error.message, /^[A-Z][a-z ]+\.$/);
  assert.equal(nextStep("server", 3200), "Trying again in 4 s.");
  assert.equal(nextStep("network", 0), "Trying again in 1 s.");
  for (const { kind } of kinds) assert.match(nextStep(kind), /\.$/);
});

test("documents are listed without a signature, and acted on by their ids", async () => {
  const { api, calls } = apiWith(answer(201), answer(200), answer(200), answer(200));

  await api.register("b", [{ path: "a" }], { sign: false });
  await api.preflight("b", [{ path: "a", size: 1 }]);
  await api.cancelDocuments("b", ["1"]);
  await api.retryDocuments("b", ["2"]);

  assert.deepEqual(calls.map(({ url, body }) => [url, JSON.parse(body)]), [
    ["/api/v1/batches/b/uploads", { documents: [{ path: "a" }], sign: false }],
    ["/api/v1/batches/b/preflight", { documents: [{ path: "a", size: 1 }] }],
    ["/api/v1/batches/b/cancel", { documents: ["1"] }],
    ["/api/v1/batches/b/retry", { documents: ["2"] }],
  ]);
});

test("the server is reachable when it answers anything at all", async () => {
  const { api } = apiWith(answer(404), new TypeError("failed to fetch"));

  assert.equal(await api.isReachable("b"), true);
  assert.equal(await api.isReachable("b"), false);
});

test("every status has a class", () => {
  assert.deepEqual([0, 429, 503, 404, 302].map(kindOfStatus), [
    "network", "rate_limit", "server", "invalid", "unknown",
  ]);
});

test("Retry-After is read as seconds and as a date", () => {
  assert.equal(parseRetryAfter("3"), 3000);
  const now = Date.parse("2024-01-01T00:00:00Z");
  assert.equal(parseRetryAfter("Mon, 01 Jan 2024 00:00:05 GMT", now), 5000);
  assert.equal(parseRetryAfter("soon"), null);
});

test("the CSRF token is found among other cookies", () => {
  assert.equal(readCsrfToken("a=1; csrftoken=x%3Dy; b=2"), "x=y");
  assert.equal(readCsrfToken("mycsrftoken=no"), "");
});

test("the back-off doubles, has a cap, and spreads from zero", () => {
  const most = (attempt) => fullJitter(attempt, { random: () => 1 });
  assert.deepEqual([0, 1, 2, 10].map(most), [1000, 2000, 4000, 30000]);
  assert.equal(fullJitter(5, { random: () => 0 }), 0);
  assert.equal(retryDelay({ retryAfterMs: 2000 }, 9, { random: () => 0.5 }), 2500);
});
