// The upload page: from a drop to a live batch.

import { Api } from "../api.js";
import { bindBadge } from "../live/badge.js";
import { Feed, socketUrl } from "../live/feed.js";
import { bindDropZone } from "./drop-zone.js";
import { Engine, makeItem } from "./engine.js";
import { Hasher } from "./hasher.js";
import { ItemList } from "./item-list.js";
import { Preflight } from "./preflight.js";
import { PreflightView } from "./preflight-view.js";
import { put } from "./put.js";
import { RunView } from "./run-view.js";
import { StatusesFeed } from "./statuses-feed.js";

const root = document.querySelector("[data-upload]");
const part = (name) => root.querySelector(`[data-${name}]`);
const api = new Api();
const hasher = new Hasher(root.dataset.hashWorker);
const urlOf = (pattern, id) => pattern.replace("00000000-0000-0000-0000-000000000000", id);

let preflight = null;
let engine = null;

const preflightView = new PreflightView(part("preflight"), {
  onStart: () => start(),
  onDiscard: () => {
    preflight = null;
    preflightView.hide();
    part("drop").hidden = false;
  },
});

bindDropZone(root, async (walk) => {
  if (preflight || engine) {
    say("This page is busy with one drop. Open the upload page again for another.");
    return;
  }
  say("");
  part("drop").hidden = true;
  preflight = new Preflight({ maxBytes: Number(root.dataset.maxBytes) });
  await preflight.read(walk, () => preflightView.showReading(preflight));
  // Nothing was refused: there is nothing to decide, so it simply goes.
  if (preflight.refused.length === 0 && preflight.accepted.length > 0) start();
  else preflightView.showResult(preflight);
});

async function start() {
  const items = preflight.accepted.map(makeItem);
  try {
    const batch = await openBatch(items.length);
    preflightView.hide();
    run(batch, items);
  } catch (error) {
    preflightView.showResult(preflight);
    say(error.message);
  }
}

// A batch that waits for its bytes is gone on with; otherwise this drop is a new one.
async function openBatch(count) {
  const { batch, batchName } = root.dataset;
  if (batch) return { id: batch, name: batchName };
  return api.createBatch(preflight.name, count);
}

function run(batch, items) {
  const list = new ItemList(part("items"), {
    documentUrl: (id) => urlOf(root.dataset.documentUrl, id),
  });
  const statuses = new StatusesFeed({ api, batch: batch.id, onChange: () => list.changed() });
  const view = new RunView(part("run"), {
    expected: items.length,
    onSettled: () => window.removeEventListener("beforeunload", askBeforeLeaving),
  });
  const send = (some) => {
    engine = new Engine({
      batch: batch.id, items: some, api, put,
      hash: (blob) => hasher.hash(blob),
      onChange: (item) => {
        statuses.know(item);
        list.changed();
      },
    });
    window.addEventListener("beforeunload", askBeforeLeaving);
    view.follow(engine);
    engine.run();
  };
  part("send-again").addEventListener("click", () => {
    const failed = items.filter((item) => item.state === "failed");
    for (const item of failed) Object.assign(item, { ...makeItem(item) });
    send(failed);
  });
  showBatch(batch);
  list.items = items;
  send(items);
  followLive(batch, view, statuses);
}

function showBatch(batch) {
  const url = urlOf(root.dataset.batchUrl, batch.id);
  for (const link of root.querySelectorAll("[data-batch-link]")) link.href = url;
  part("title").textContent = batch.name || "Your upload";
  part("lead").textContent = "Every document is listed below. Search works while the rest comes in.";
  part("search-link").href = `${root.dataset.searchUrl}?batch=${batch.id}`;
  part("run").hidden = false;
  part("batch-actions").hidden = false;
  part("recent").hidden = true;
  // Reload, and the page offers to go on with this batch.
  history.replaceState(null, "", `${location.pathname}?batch=${batch.id}`);
}

function followLive(batch, view, statuses) {
  const feed = new Feed(batch.id, { api, url: socketUrl(batch.id), since: 0 });
  bindBadge(root.querySelector("[data-live]"), feed);
  feed.addEventListener("change", ({ detail }) => {
    if (detail.progress) view.panel.show(detail.progress);
    statuses.take(detail.events);
  });
  feed.start();
}

function askBeforeLeaving(event) {
  if (engine?.isMoving) event.preventDefault();
}

function say(text) {
  part("message").hidden = text === "";
  part("message-text").textContent = text;
}
