// Off the main thread: {blob} in, {sha256} or {error} out, one at a time.

import { digest } from "./digest.js";

self.addEventListener("message", async ({ data: { blob } }) => {
  try {
    self.postMessage({ sha256: await digest(blob) });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
});
