// How each state of a document looks: its word and its tone. Mirrors dashboard/presentation.py.

export const STATUSES = {
  awaiting: { label: "Waiting for its bytes", tone: "wait" },
  uploaded: { label: "In the queue", tone: "wait" },
  processing: { label: "Processing", tone: "work" },
  ready: { label: "Searchable", tone: "ok" },
  partial: { label: "Searchable in part", tone: "warn" },
  failed: { label: "Failed", tone: "bad" },
  duplicate: { label: "Duplicate", tone: "ok" },
  rejected: { label: "Rejected", tone: "bad" },
  cancelled: { label: "Cancelled", tone: "wait" },
  expired: { label: "Expired", tone: "warn" },
};

// A document in one of these has a sentence that says why.
export const TROUBLED = new Set(["failed", "rejected", "partial"]);

// Which status an event gives its documents, as people see it; null when it is about something
// else. What is searchable looks ready, while something optional is still being done for it.
export function statusTold(event) {
  if (event.kind === "searchable") return "ready";
  return event.kind === "documents" ? event.to : null;
}

export function showStatus(element, status) {
  const { label, tone } = STATUSES[status] ?? { label: status, tone: "wait" };
  element.dataset.tone = tone;
  if (element.textContent !== label) element.textContent = label;
}
