// What a running upload says of itself, in words. Pure functions of the engine.

import { formatBytes, formatCount, formatRange, formatRate, plural } from "../format.js";

const REASONS = {
  rate_limit: "The server asked to slow down.",
  network: "The connection was lost.",
  server: "The server had a problem.",
  unknown: "Something unexpected happened.",
};
// Nobody says when these end.
const OPEN_ENDED = {
  user: "Paused. Resume goes on where it stopped.",
  offline: "You are offline. It goes on by itself when the connection is back.",
};

// What it waits for and when it goes on, or null while it goes.
export function waitingSentence(waitingFor, now) {
  if (!waitingFor) return null;
  const { kind, until } = waitingFor;
  if (kind in OPEN_ENDED) return OPEN_ENDED[kind];
  const seconds = until === null ? null : Math.ceil((until - now) / 1000);
  if (seconds === null) return `${REASONS[kind]} Going on by itself.`;
  return seconds > 0 ? `${REASONS[kind]} Going on in ${seconds} s.` : `${REASONS[kind]} Going on now.`;
}

export function phaseOf(engine) {
  if (!engine.isMoving) return "ended";
  if (engine.manifest.done < engine.manifest.total) return "listing";
  return engine.isMovingBytes ? "sending" : "finishing";
}

export function runSentence(engine, now) {
  const waiting = waitingSentence(engine.waitingFor, now);
  const { done, total } = engine.manifest;
  if (engine.isMoving && waiting) return waiting;
  switch (phaseOf(engine)) {
    case "listing":
      return `Listing ${formatCount(done)} of ${formatCount(total)}`;
    case "sending":
      return engine.secondsLeft ? `Uploading: ${formatRange(engine.secondsLeft).toLowerCase()}` : "Uploading";
    case "finishing":
      return "The server is checking what arrived last";
    default:
      return "";
  }
}

export function bytesSentence(engine) {
  const line = `${formatBytes(engine.sentBytes)} of ${formatBytes(engine.totalBytes)}`;
  const pace = engine.isMovingBytes && !engine.waitingFor ? engine.bytesPerSecond : null;
  return pace ? `${line} · ${formatRate(pace)}` : line;
}

// Whether the rest goes on at once without the tab: every document has arrived, and was said to
// have. What was only stored would be found as well, but minutes later.
export function canClose({ isMovingBytes, counts }) {
  const unsaid = counts.queued + counts.checking + counts.registered + counts.sending + counts.sent;
  return !isMovingBytes && unsaid === 0 && counts.there > 0;
}

// How it goes, for somebody who hears it; without seconds, which would be old when heard.
export function spokenSentence(engine) {
  const { counts, manifest } = engine;
  const reason = engine.waitingFor?.kind;
  if (reason) return OPEN_ENDED[reason] ?? `${REASONS[reason]} It goes on by itself.`;
  if (phaseOf(engine) === "listing") {
    return `${formatCount(manifest.done)} of ${plural(manifest.total, "document")} listed.`;
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const left = engine.secondsLeft ? ` ${formatRange(engine.secondsLeft)}.` : "";
  return `${formatCount(counts.there)} of ${plural(total, "document")} sent.${left}`;
}

// What is said when one phase is over and the next begins, or null.
export function turnSentence(from, engine) {
  const to = phaseOf(engine);
  if (from === "listing" && to === "sending") {
    return `All ${plural(engine.manifest.total, "document")} listed. Their bytes are on the way.`;
  }
  if (to === "finishing" && engine.counts.sent > 0) return "All bytes are here.";
  return null;
}

// "1,688 were here already, 312 sent, 2 cancelled."
export function outcomeSentence({ here, sent, failed, refused, cancelled }) {
  const parts = [
    here > 0 && `${formatCount(here)} ${here === 1 ? "was" : "were"} here already`,
    (sent > 0 || here > 0) && `${formatCount(sent)} sent`,
    refused > 0 && `${formatCount(refused)} refused`,
    failed > 0 && `${formatCount(failed)} not sent`,
    cancelled > 0 && `${formatCount(cancelled)} cancelled`,
  ].filter(Boolean);
  return parts.length > 0 ? `${parts.join(", ")}.` : "";
}
