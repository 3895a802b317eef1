// Off the main thread: {id, blob} in, {id, sha256} or {id, error} out.

import { digest } from "./digest.js";

self.addEventListener("message", async ({ data: { id, blob } }) => {
  try {
    self.postMessage({ id, sha256: await digest(blob) });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
});
