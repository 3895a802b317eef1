// The upload page: from a drop, through the look before it, to a running upload.

import { Api } from "../api.js";
import { Narrator } from "../live/narrator.js";
import { bindDropZone } from "./drop-zone.js";
import { makeItem } from "./engine.js";
import { rememberHandles, walkHandles } from "./handles.js";
import { Preflight } from "./preflight.js";
import { PreflightView } from "./preflight-view.js";
import { needsDecision } from "./preflight-words.js";
import { GO_ON, offerRemembered, readableNow } from "./remembered.js";
import { startRun } from "./run.js";

const root = document.querySelector("[data-upload]");
const part = (name) => root.querySelector(`[data-${name}]`);
const api = new Api();
const given = root.dataset.batch
  ? { id: root.dataset.batch, name: root.dataset.batchName }
  : null;
const isGoingOn = given !== null;
const NO_HANDLES = Promise.resolve([]);

// {preflight, handles, batch} from a drop until it is discarded; without `preflight` it runs.
let drop = null;

const view = new PreflightView(part("preflight"), {
  narrator: new Narrator(part("heard")),
  onStart: () => tell(start),
  onDiscard: () => tell(discard),
});

bindDropZone(root, ({ walk, handles }) => take(walk, handles));
if (isGoingOn) tell(recall);

async function take(walk, handles) {
  if (drop) {
    say("This page is busy with one drop. Open the upload page again for another.");
    return;
  }
  part("drop").hidden = true;
  const preflight = new Preflight({ maxBytes: Number(root.dataset.maxBytes) });
  drop = { preflight, handles, batch: given };
  await tell(() => look(walk));
}

async function look(walk) {
  const { preflight } = drop;
  await preflight.read(walk, () => view.showReading(preflight));
  if (preflight.accepted.length > 0) {
    view.showAsking(preflight);
    await openBatch();
    await preflight.askServer(api, drop.batch.id);
  }
  if (needsDecision(preflight, { isGoingOn })) view.showResult(preflight, { isGoingOn });
  else await start();
}

// A batch that waits for its bytes is gone on with; otherwise this drop is a new one.
async function openBatch() {
  const { preflight } = drop;
  drop.batch ??= await api.createBatch(preflight.name, preflight.accepted.length);
}

async function start() {
  await openBatch();
  const { batch, handles, preflight } = drop;
  view.hide();
  remember(batch, handles);
  const items = preflight.accepted.map(makeItem);
  // What it accepted would keep every document alive that was sent long ago.
  drop.preflight = null;
  startRun({ root, api, batch, items, onError: (error) => say(error.message) });
}

async function discard() {
  const { batch } = drop;
  drop = null;
  view.hide();
  part("drop").hidden = false;
  // Nothing was registered in it: an open batch would wait for documents that never come.
  if (batch && !isGoingOn) await api.cancel(batch.id);
}

async function remember(batch, handles) {
  try {
    const found = await handles;
    if (found.length > 0) await rememberHandles(batch.id, found);
  } catch (error) {
    // A browser that keeps nothing (a private window) still uploads; the folder is dropped again.
    console.warn("The folder is not remembered:", error);
  }
}

// The folders of an earlier drop: at once when they may be read, by a button otherwise.
async function recall() {
  const goOn = (handles) => take(walkHandles(handles), NO_HANDLES);
  const handles = await offerRemembered(part("go-on"), given.id, { onGranted: goOn, onRefused: say });
  if (location.hash !== GO_ON || handles.length === 0) return;
  const readable = await readableNow(handles);
  if (readable.length > 0) await goOn(readable);
  else part("go-on").focus();
}

// What goes wrong is said, and what was found so far can be sent nevertheless.
async function tell(act) {
  say("");
  try {
    await act();
  } catch (error) {
    if (drop?.preflight) view.showResult(drop.preflight, { isGoingOn });
    say(error.message);
  }
}

function say(text) {
  part("message").hidden = text === "";
  part("message-text").textContent = text;
}
