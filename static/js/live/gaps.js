// What of a batch still waits for its bytes, and the ways to send them.

import { formatCount } from "../format.js";

// Expired is what waited for too long; the same folder brings it too.
export function gapsOf({ counts }) {
  return counts.awaiting + counts.expired;
}

export function gapSentence(progress) {
  const gaps = gapsOf(progress);
  const verb = gaps === 1 ? "is waiting for its bytes" : "are waiting for their bytes";
  return `${formatCount(gaps)} of ${formatCount(progress.total)} ${verb}.`;
}

// Keeps the section that the server rendered true.
export function showGaps(section, progress) {
  const text = section.querySelector("[data-gaps-text]");
  section.hidden = gapsOf(progress) === 0 || section.dataset.cancelled === "true";
  if (text.textContent !== gapSentence(progress)) text.textContent = gapSentence(progress);
}
