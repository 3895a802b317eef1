// What operating systems and tools leave in folders and nobody wants to search.

const FOLDERS = new Set([
  "node_modules", ".git", ".svn", ".hg", "__macosx", "__pycache__", ".spotlight-v100",
  ".trashes", ".fseventsd", "$recycle.bin", "system volume information",
]);
const NAMES = new Set([".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"]);

export function isJunkFolder(name) {
  return FOLDERS.has(name.toLowerCase());
}

// "._x" is the resource fork of x, "~$x" the lock that Office leaves beside an open x.
export function isJunkName(name) {
  return NAMES.has(name.toLowerCase()) || name.startsWith("._") || name.startsWith("~$");
}

export function isJunk(path) {
  const parts = path.split("/");
  const name = parts.pop();
  return isJunkName(name) || parts.some(isJunkFolder);
}
