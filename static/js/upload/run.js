// A running upload on its page: the engine, the list, the controls, and what the server tells.

import { bindBadge } from "../live/badge.js";
import { Feed, socketUrl } from "../live/feed.js";
import { perform } from "./actions.js";
import { Engine } from "./engine.js";
import { forgetHandles } from "./handles.js";
import { Hasher } from "./hasher.js";
import { ItemList } from "./item-list.js";
import { put } from "./put.js";
import { RunView } from "./run-view.js";
import { SelectionBar } from "./selection-bar.js";
import { StatusesFeed } from "./statuses-feed.js";

const urlOf = (pattern, id) => pattern.replace("00000000-0000-0000-0000-000000000000", id);

export function startRun({ root, api, batch, items, onError }) {
  const part = (name) => root.querySelector(`[data-${name}]`);
  const hasher = new Hasher(root.dataset.hashWorker);
  const engine = new Engine({
    batch: batch.id, items, api, put,
    hash: (blob) => hasher.hash(blob),
    onChange: (changed) => {
      statuses.know(changed);
      list.changed(changed);
      view.changed(changed);
    },
  });
  const statuses = new StatusesFeed({
    api, batch: batch.id, onChange: (changed) => list.changed(changed),
  });
  const view = new RunView(part("run"), {
    engine, expected: items.length, onError,
    // Nothing is left to be read from the folder.
    onAllSent: () => forgetHandles(batch.id).catch(onError),
  });
  const list = new ItemList(part("items"), {
    documentUrl: (id) => urlOf(root.dataset.documentUrl, id),
    onSelection: (selection) => bar.show(selection),
  });
  const bar = new SelectionBar(part("selection"), {
    onAct: (action, chosen) => view.act(() => perform(action, chosen, { engine, api, batch: batch.id })),
    onAll: (isChosen) => list.chooseShown(isChosen),
  });
  showBatch(root, batch);
  list.items = items;
  followLive({ root, api, batch, view, statuses });
  view.changed(items);
  engine.run().catch(onError);
}

function showBatch(root, batch) {
  const part = (name) => root.querySelector(`[data-${name}]`);
  const url = urlOf(root.dataset.batchUrl, batch.id);
  for (const link of root.querySelectorAll("[data-batch-link]")) link.href = url;
  part("title").textContent = batch.name || "Your upload";
  part("lead").textContent = "Every document is listed below. Search works while the rest comes in.";
  part("search-link").href = `${root.dataset.searchUrl}?batch=${batch.id}`;
  part("run").hidden = false;
  part("batch-actions").hidden = false;
  part("recent").hidden = true;
  // What had the focus is gone with the drop zone; the next key shall not start at the top.
  if (document.activeElement === document.body) part("title").focus({ preventScroll: true });
  // Reload, and the page offers to go on with this batch.
  history.replaceState(null, "", `${location.pathname}?batch=${batch.id}`);
}

function followLive({ root, api, batch, view, statuses }) {
  const feed = new Feed(batch.id, { api, url: socketUrl(batch.id), since: 0 });
  bindBadge(root.querySelector("[data-live]"), feed);
  feed.addEventListener("change", ({ detail }) => {
    if (detail.progress) view.panel.show(detail.progress);
    statuses.take(detail.events);
  });
  feed.start();
}
