// Says whether what one sees is live.

const LABELS = { connecting: "Connecting", live: "Live", polling: "Polling", offline: "Offline" };

export function bindBadge(element, feed) {
  const show = (state) => {
    if (element.dataset.live === state) return;
    element.dataset.live = state;
    element.textContent = LABELS[state];
  };
  element.hidden = false;
  show("connecting");
  feed.addEventListener("state", (event) => show(event.detail));
}
