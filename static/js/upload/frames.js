// Runs something at the next frame; a hidden page has no frames, so a timer stands by.

const LATEST_MS = 250;

export function nextFrame(run) {
  let timer = null;
  let frame = null;
  const once = () => {
    clearTimeout(timer);
    if (frame !== null) cancelAnimationFrame(frame);
    run();
  };
  if (typeof requestAnimationFrame === "function") {
    frame = requestAnimationFrame(once);
    timer = setTimeout(once, LATEST_MS);
  } else {
    timer = setTimeout(once);
  }
}
