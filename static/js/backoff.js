// When to try again. Full jitter, so that a thousand tabs do not come back at once.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

export function fullJitter(attempt, { baseMs = 1000, capMs = 30000, random = Math.random } = {}) {
  return random() * Math.min(capMs, baseMs * 2 ** attempt);
}

// The server's own wish comes first; jitter is added, never taken away.
export function retryDelay(error, attempt, { random = Math.random } = {}) {
  if (error.retryAfterMs != null) return error.retryAfterMs + random() * 1000;
  return fullJitter(attempt, { random });
}

export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
