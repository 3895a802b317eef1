import assert from "node:assert/strict";
import { test } from "node:test";

import { bring } from "../../static/js/page-images.js";

const THERE = { ok: false, type: "opaqueredirect", status: 0, headers: new Headers() };
const refusal = (status, headers = {}) => ({ ok: false, type: "basic", status, headers: new Headers(headers) });

function server(...answers) {
  const asked = [];
  const waited = [];
  return {
    asked,
    waited,
    fetch: async (address) => {
      asked.push(address);
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    wait: async (ms) => waited.push(ms),
    random: () => 0,
  };
}

test("a picture that is there is asked for once", async () => {
  const made = server(THERE);

  assert.equal(await bring("/pages/3", made), true);
  assert.deepEqual([made.asked, made.waited], [["/pages/3"], []]);
});

test("one that is being drawn is asked for again when the server says", async () => {
  const made = server(refusal(429, { "Retry-After": "2" }), refusal(503), new TypeError("away"), THERE);

  assert.equal(await bring("/pages/3", made), true);
  assert.equal(made.asked.length, 4);
  assert.equal(made.waited[0], 2000);
});

test("one that will not be is not asked for again", async () => {
  const made = server(refusal(404));

  assert.equal(await bring("/pages/3", made), false);
  assert.deepEqual([made.asked.length, made.waited], [1, []]);
});

test("one that never comes is given up", async () => {
  const made = server(refusal(429, { "Retry-After": "2" }));

  assert.equal(await bring("/pages/3", made), false);
  assert.equal(made.asked.length, 5);
});
