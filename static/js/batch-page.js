// The batch page, live: the panel from progress, the rows from events and from the page itself.

import { Api } from "./api.js";
import { bindBadge } from "./live/badge.js";
import { Feed, socketUrl } from "./live/feed.js";
import { showGaps } from "./live/gaps.js";
import { ProgressPanel } from "./live/progress.js";
import { Rows } from "./live/rows.js";
import { bindDrag } from "./upload/drop-zone.js";
import { handlesOfDrop, rememberHandles } from "./upload/handles.js";
import { GO_ON, offerRemembered } from "./upload/remembered.js";

const root = document.querySelector("[data-batch]");
const { batch, seq, uploadUrl } = root.dataset;
const gaps = root.querySelector("[data-gaps]");
const panel = new ProgressPanel(root.querySelector("[data-progress]"));
const rows = new Rows(root);
const feed = new Feed(batch, { api: new Api(), url: socketUrl(batch), since: Number(seq) });

bindBadge(root.querySelector("[data-live]"), feed);
feed.addEventListener("change", ({ detail: { events, progress, restarted } }) => {
  if (progress) {
    panel.show(progress);
    showGaps(gaps, progress);
  }
  if (restarted) rows.refreshSoon();
  else rows.take(events);
});
feed.start();

// The upload page does the sending; a handle is how a drop gets there.
bindDrag(async (dataTransfer) => {
  const handles = await handlesOfDrop(dataTransfer);
  if (handles.length > 0) await rememberHandles(batch, handles);
  location.assign(handles.length > 0 ? uploadUrl + GO_ON : uploadUrl);
});
offerRemembered(gaps.querySelector("[data-go-on]"), batch, {
  onGranted: () => location.assign(uploadUrl + GO_ON),
  onRefused: (sentence) => {
    gaps.querySelector("[data-gaps-refused]").textContent = sentence;
  },
});
