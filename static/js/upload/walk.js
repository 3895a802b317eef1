// Everything below what was dropped or picked, one at a time: {path, blob} or {junk: path}.

import { isJunk, isJunkFolder } from "./junk.js";
import { normalisePath } from "./paths.js";

// Entries must be taken while the drop event runs; walking them may take its time.
export function entriesOf(dataTransfer) {
  return [...dataTransfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
    .filter(Boolean);
}

export async function* walkEntries(entries) {
  for (const entry of entries) yield* walkEntry(entry, "");
}

export async function* walkPicked(blobs) {
  for (const blob of blobs) yield found(blob.webkitRelativePath || blob.name, blob);
}

async function* walkEntry(entry, above) {
  const path = above + entry.name;
  if (entry.isDirectory) {
    if (isJunkFolder(entry.name)) yield { junk: path };
    else for await (const child of childrenOf(entry)) yield* walkEntry(child, `${path}/`);
    return;
  }
  yield await readEntry(entry, path);
}

async function readEntry(entry, path) {
  // Without the entries API the drop gives the blob itself, and no folders.
  if (!entry.isFile) return found(path, entry);
  try {
    return found(path, await new Promise((resolve, reject) => entry.file(resolve, reject)));
  } catch {
    return { path: normalisePath(path), unreadable: true };
  }
}

// readEntries gives at most 100 at a time, and an empty list at the end.
async function* childrenOf(folder) {
  const reader = folder.createReader();
  for (;;) {
    const children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (children.length === 0) return;
    yield* children;
  }
}

function found(rawPath, blob) {
  const path = normalisePath(rawPath);
  return isJunk(path) ? { junk: path } : { path, blob };
}
