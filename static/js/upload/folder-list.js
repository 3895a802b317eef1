// Which lines a list of thousands of documents shows: folders, and their documents below them.
//
// A line is a number: n for the document items[n], -1 - f for the head of folders[f]. What is
// shown is sifted in one pass without sorting; counts are kept up as documents change.

import { folderOf, isDone, isMoving, isTroubled } from "./item-status.js";

const MOVING = 1;
const TROUBLED = 2;
const DONE = 4;
const MASKS = { all: 0, moving: MOVING, trouble: TROUBLED, done: DONE };

export const isHead = (line) => line < 0;
const headOf = (folder) => -1 - folder;

export class FolderList {
  items = [];
  folders = [];
  counts = { moving: 0, trouble: 0, done: 0 };
  shownCount = 0;
  shownFolders = 0;
  length = 0;
  #places = new Map();
  #folderAt;
  #bits;
  #isShown;
  #matches;
  #haystack = null;
  #lines;
  #mask = 0;

  constructor(items) {
    this.#group(items);
    const size = this.items.length;
    this.#folderAt = new Int32Array(size);
    this.#bits = new Uint8Array(size);
    this.#isShown = new Uint8Array(size);
    this.#matches = new Uint8Array(size).fill(1);
    this.#lines = new Int32Array(size + this.folders.length);
    this.folders.forEach(({ first, end }, folder) => this.#folderAt.fill(folder, first, end));
    this.items.forEach((item, at) => this.#places.set(item, at));
    this.update(this.items);
    this.sift();
  }

  // Takes up what changed; returns whether other lines are to be shown than before.
  update(changed) {
    let differs = false;
    for (const item of changed) {
      const at = this.#places.get(item);
      if (at === undefined) continue;
      const bits = bitsOf(item);
      const flipped = bits ^ this.#bits[at];
      if (flipped === 0) continue;
      this.#bits[at] = bits;
      this.#count(at, flipped, bits);
      differs ||= (flipped & this.#mask) !== 0;
    }
    return differs;
  }

  // Only documents of this filter: all, moving, trouble or done.
  show(filter) {
    this.#mask = MASKS[filter];
  }

  // Only documents whose path contains every word.
  find(text) {
    const words = text.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) {
      this.#matches.fill(1);
      return;
    }
    this.#haystack ??= this.items.map(({ path }) => path.toLowerCase());
    this.#haystack.forEach((path, at) => {
      this.#matches[at] = words.every((word) => path.includes(word)) ? 1 : 0;
    });
  }

  // Works out the lines anew, in one pass over everything.
  sift() {
    let length = 0;
    this.shownCount = 0;
    this.shownFolders = 0;
    this.folders.forEach((folder, index) => {
      const head = length;
      folder.shown = 0;
      for (let at = folder.first; at < folder.end; at += 1) {
        this.#isShown[at] = this.#passes(at) ? 1 : 0;
        if (!this.#isShown[at]) continue;
        folder.shown += 1;
        if (!folder.isClosed) this.#lines[head + folder.shown] = at;
      }
      if (folder.shown === 0) return;
      Object.assign(folder, { head, rank: (this.shownFolders += 1) });
      this.#lines[head] = headOf(index);
      this.shownCount += folder.shown;
      length = head + 1 + (folder.isClosed ? 0 : folder.shown);
    });
    this.length = length;
  }

  lineAt(index) {
    return this.#lines[index];
  }

  // Where a line stands now, or -1.
  indexOf(line) {
    const index = this.#lines.indexOf(line);
    return index < this.length ? index : -1;
  }

  folderOfLine(line) {
    return this.folders[isHead(line) ? headOf(line) : this.#folderAt[line]];
  }

  isShown(at) {
    return this.#isShown[at] === 1;
  }

  // The documents a line stands for: itself, or everything shown of a folder.
  placesOf(line) {
    if (!isHead(line)) return [line];
    const { first, end } = this.folderOfLine(line);
    return this.#shownBetween(first, end);
  }

  allShown() {
    return this.#shownBetween(0, this.items.length);
  }

  // The documents from one line to another, those of closed folders included.
  placesBetween(one, other) {
    const places = [];
    for (let index = Math.min(one, other); index <= Math.max(one, other); index += 1) {
      const line = this.#lines[index];
      if (!isHead(line)) places.push([line]);
      else if (this.folderOfLine(line).isClosed) places.push(this.placesOf(line));
    }
    return places.flat();
  }

  #group(items) {
    const byFolder = new Map();
    for (const item of items) {
      const path = folderOf(item.path);
      if (!byFolder.has(path)) byFolder.set(path, []);
      byFolder.get(path).push(item);
    }
    for (const path of [...byFolder.keys()].sort()) {
      const first = this.items.length;
      for (const item of byFolder.get(path)) this.items.push(item);
      this.folders.push({ path, first, end: this.items.length, done: 0, shown: 0, isClosed: false });
    }
  }

  #count(at, flipped, bits) {
    const by = (bit) => (flipped & bit ? (bits & bit ? 1 : -1) : 0);
    this.counts.moving += by(MOVING);
    this.counts.trouble += by(TROUBLED);
    this.counts.done += by(DONE);
    this.folders[this.#folderAt[at]].done += by(DONE);
  }

  #passes(at) {
    return this.#matches[at] === 1 && (this.#mask === 0 || (this.#bits[at] & this.#mask) !== 0);
  }

  #shownBetween(first, end) {
    const places = [];
    for (let at = first; at < end; at += 1) if (this.#isShown[at]) places.push(at);
    return places;
  }
}

function bitsOf(item) {
  return (isMoving(item) ? MOVING : 0) | (isTroubled(item) ? TROUBLED : 0) | (isDone(item) ? DONE : 0);
}
