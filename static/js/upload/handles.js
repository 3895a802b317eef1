// Remembers the folders of a drop, so that a later visit goes on without another drop.
//
// Only where the browser has the File System Access API: elsewhere nothing is remembered.
// https://developer.mozilla.org/docs/Web/API/FileSystemHandle

import { walkNodes } from "./walk.js";

const DATABASE = "sluice-folders";
const STORE = "batches";
const PORTION = 100;
const READ = { mode: "read" };

// Takes the promises of handles while the drop event runs; resolves to what can be remembered.
export function handlesOfDrop(dataTransfer) {
  const asked = [...dataTransfer.items]
    .filter((item) => item.kind === "file" && item.getAsFileSystemHandle)
    .map((item) => item.getAsFileSystemHandle().catch(() => null));
  return Promise.all(asked).then((handles) => handles.filter(Boolean));
}

export async function rememberHandles(batch, handles, { idb = globalThis.indexedDB } = {}) {
  if (!idb || handles.length === 0) return;
  await inStore(idb, "readwrite", (store) => store.put(handles, batch));
}

// What was remembered for a batch; an empty list when nothing was.
export async function handlesOf(batch, { idb = globalThis.indexedDB } = {}) {
  if (!idb) return [];
  return (await inStore(idb, "readonly", (store) => store.get(batch))) ?? [];
}

// The same, once a person allowed to read them: call it from a click. Those refused are left out.
export async function resumeHandles(batch, options) {
  const handles = await handlesOf(batch, options);
  const allowed = [];
  // One question after the other: a browser shows one at a time.
  for (const handle of handles) if (await mayRead(handle)) allowed.push(handle);
  return allowed;
}

export async function forgetHandles(batch, { idb = globalThis.indexedDB } = {}) {
  if (idb) await inStore(idb, "readwrite", (store) => store.delete(batch));
}

// Everything below the handles, in the shape of walk.js.
export function walkHandles(handles) {
  return walkNodes(handles.map(nodeOfHandle));
}

async function mayRead(handle) {
  if ((await handle.queryPermission(READ)) === "granted") return true;
  return (await handle.requestPermission(READ)) === "granted";
}

function nodeOfHandle(handle) {
  return {
    name: handle.name,
    isFolder: handle.kind === "directory",
    portions: () => portionsOf(handle),
    read: () => handle.getFile(),
  };
}

async function* portionsOf(folder) {
  let portion = [];
  for await (const handle of folder.values()) {
    portion.push(nodeOfHandle(handle));
    if (portion.length < PORTION) continue;
    yield portion;
    portion = [];
  }
  if (portion.length > 0) yield portion;
}

async function inStore(idb, mode, act) {
  const database = await open(idb);
  try {
    return await answerOf(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function open(idb) {
  const request = idb.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return answerOf(request);
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
