// The batch page, live: the panel from progress, the rows from events and from the page itself.

import { Api } from "./api.js";
import { bindBadge } from "./live/badge.js";
import { Feed, socketUrl } from "./live/feed.js";
import { ProgressPanel } from "./live/progress.js";
import { Rows } from "./live/rows.js";

const root = document.querySelector("[data-batch]");
const { batch, seq } = root.dataset;
const panel = new ProgressPanel(root.querySelector("[data-progress]"));
const rows = new Rows(root);
const feed = new Feed(batch, { api: new Api(), url: socketUrl(batch), since: Number(seq) });

bindBadge(root.querySelector("[data-live]"), feed);
feed.addEventListener("change", ({ detail: { events, progress, restarted } }) => {
  if (progress) panel.show(progress);
  if (restarted) rows.refreshSoon();
  else rows.take(events);
});
feed.start();
