// Everything below what was dropped or picked: {path, blob}, {path, unreadable} or {junk: path}.

import { isJunk, isJunkFolder } from "./junk.js";
import { normalisePath } from "./paths.js";

// Entries must be taken while the drop event runs; walking them may take its time.
export function entriesOf(dataTransfer) {
  return [...dataTransfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
    .filter(Boolean);
}

export function walkEntries(entries) {
  return walkNodes(entries.map(nodeOfEntry));
}

export async function* walkPicked(blobs) {
  for (const blob of blobs) yield found(blob.webkitRelativePath || blob.name, blob);
}

// Walks nodes {name, isFolder, portions(), read()}: a folder gives its children in portions, a leaf
// its blob. What a portion holds is begun side by side, for each is a question to the disk.
export async function* walkNodes(nodes, above = "") {
  const begun = nodes.map((node) => {
    return node.isFolder ? beginFolder(node) : readNode(node, above + node.name);
  });
  for (const [index, node] of nodes.entries()) {
    if (node.isFolder) yield* walkFolder(begun[index], above + node.name);
    else yield await begun[index];
  }
}

// Asks for the first children of a folder; null for one that nobody means.
function beginFolder(folder) {
  if (isJunkFolder(folder.name)) return null;
  const portions = folder.portions();
  return { portions, first: nextOrNull(portions) };
}

async function* walkFolder(folder, path) {
  if (folder === null) {
    yield { junk: path };
    return;
  }
  for (let next = folder.first; ; next = nextOrNull(folder.portions)) {
    const portion = await next;
    if (portion === null) {
      yield { path: normalisePath(path), unreadable: true };
      return;
    }
    if (portion.done) return;
    yield* walkNodes(portion.value, `${path}/`);
  }
}

// The browser may refuse a folder as it may refuse a document; the others go on.
async function nextOrNull(portions) {
  try {
    return await portions.next();
  } catch {
    return null;
  }
}

async function readNode(node, path) {
  try {
    return found(path, await node.read());
  } catch {
    return { path: normalisePath(path), unreadable: true };
  }
}

function nodeOfEntry(entry) {
  return {
    name: entry.name,
    isFolder: Boolean(entry.isDirectory),
    portions: () => portionsOf(entry),
    // Without the entries API the drop gives the blob itself, and no folders.
    read: async () => (entry.isFile ? fileOf(entry) : entry),
  };
}

function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

// readEntries gives at most 100 at a time, and an empty list at the end.
async function* portionsOf(folder) {
  const reader = folder.createReader();
  for (;;) {
    const children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (children.length === 0) return;
    yield children.map(nodeOfEntry);
  }
}

function found(rawPath, blob) {
  const path = normalisePath(rawPath);
  return isJunk(path) ? { junk: path } : { path, blob };
}
