// The documents of this upload, thousands of them, by folder: narrow them down, choose some.

import { formatCount } from "../format.js";
import { VirtualList } from "../virtual-list.js";
import { FolderList, isHead } from "./folder-list.js";
import { RowFiller, rowId, write } from "./item-row.js";
import { readKey } from "./list-keys.js";
import { Selection } from "./selection.js";

const ROW_REM = 3.25;
const SIFT_EVERY_MS = 250;
const TYPING_MS = 150;

export class ItemList {
  #found = new FolderList([]);
  #selection = new Selection(0);
  #active = null;
  #anchor = null;
  #siftTimer = null;
  #tellTimer = null;
  #typingTimer = null;

  // `onSelection({items, hidden, shown, all})` hears what is selected, a few times a second at most.
  constructor(element, { documentUrl, onSelection = () => {} }) {
    this.element = element;
    this.onSelection = onSelection;
    this.tree = element.querySelector("[data-virtual]");
    this.rows = new RowFiller(element, { documentUrl });
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.list = new VirtualList(this.tree, {
      rowHeight: ROW_REM * rem,
      kindOf: (index) => (isHead(this.#found.lineAt(index)) ? "folder" : "document"),
      makeRow: (kind) => this.rows.make(kind),
      fillRow: (row, index) => this.#fill(row, index),
      onRender: (range) => this.#pointAtActive(range),
    });
    this.#bindNarrowing();
    this.#bindTree();
  }

  set items(items) {
    this.#found = new FolderList(items);
    this.#selection = new Selection(items.length);
    this.#active = null;
    this.#anchor = null;
    this.#found.show(this.element.querySelector("[name=show]:checked").value);
    this.#found.find(this.element.querySelector("[data-find]").value);
    this.#sift();
  }

  // Fills what is visible, and sifts again a few times a second if other lines are to be shown.
  changed(items) {
    if (this.#found.update(items)) this.#siftTimer ??= setTimeout(() => this.#sift(), SIFT_EVERY_MS);
    this.list.refreshSoon();
    this.#tellTimer ??= setTimeout(() => this.#tell(), SIFT_EVERY_MS);
  }

  chooseShown(isChosen) {
    if (isChosen) this.#selection.set(this.#found.allShown(), true);
    else this.#selection.clear();
    this.#afterChoice();
  }

  #bindNarrowing() {
    for (const control of this.element.querySelectorAll("[name=show]")) {
      control.addEventListener("change", () => {
        this.#found.show(control.value);
        this.#sift();
      });
    }
    const box = this.element.querySelector("[data-find]");
    box.addEventListener("input", () => {
      clearTimeout(this.#typingTimer);
      this.#typingTimer = setTimeout(() => {
        this.#found.find(box.value);
        this.#sift();
      }, TYPING_MS);
    });
  }

  #bindTree() {
    this.tree.addEventListener("keydown", (event) => this.#pressed(event));
    this.tree.addEventListener("focus", () => {
      // Nothing may move under a press that gives the focus.
      if (this.#active === null && this.#found.length > 0) this.#go(this.list.firstInSight);
    });
    this.tree.addEventListener("mousedown", (event) => {
      // A range is chosen, not a stretch of text.
      if (event.shiftKey) event.preventDefault();
    });
    this.tree.addEventListener("click", (event) => this.#clicked(event));
  }

  #clicked(event) {
    const row = event.target.closest("[data-index]");
    if (!row || event.target.closest("a[href]")) return;
    const index = Number(row.dataset.index);
    const line = this.#found.lineAt(index);
    this.#active = line;
    this.tree.focus({ preventScroll: true });
    if (event.target.closest("[data-check]") || event.shiftKey) this.#choose(line, event.shiftKey);
    else if (isHead(line)) this.#fold(line);
    else this.list.refresh();
  }

  #pressed(event) {
    const meaning = readKey(event, this.list.rowsInSight);
    if (!meaning || this.#found.length === 0 || event.target.closest("a")) return;
    event.preventDefault();
    const index = this.#activeIndex();
    if (meaning.command) this.#do(meaning.command, this.#found.lineAt(index), index);
    else this.#step(index, meaning);
  }

  #step(index, { step, extends: isRange }) {
    const from = this.#found.lineAt(index);
    this.#go(index + step);
    if (!isRange) return;
    this.#anchor ??= from;
    this.#choose(this.#active, true);
  }

  #do(command, line, index) {
    const folder = this.#found.folderOfLine(line);
    if (command === "all") this.chooseShown(true);
    else if (command === "clear") this.chooseShown(false);
    else if (command === "toggle") this.#choose(line, false);
    else if (command === "enter") this.#enter(line, index);
    else if (command === "close" && !isHead(line)) this.#go(folder.head);
    else if (command === "open" && isHead(line) && !folder.isClosed) this.#go(index + 1);
    else if (isHead(line) && folder.isClosed === (command === "open")) this.#fold(line);
  }

  #enter(line, index) {
    if (isHead(line)) this.#fold(line);
    else document.getElementById(rowId(index))?.querySelector("a[href]")?.click();
  }

  #go(index) {
    const last = this.#found.length - 1;
    const to = Math.max(0, Math.min(last, index));
    this.#active = this.#found.lineAt(to);
    this.list.reveal(to);
  }

  #activeIndex() {
    return this.#active === null ? 0 : Math.max(0, this.#found.indexOf(this.#active));
  }

  #choose(line, isRange) {
    const anchor = isRange && this.#anchor !== null ? this.#found.indexOf(this.#anchor) : -1;
    if (anchor >= 0) {
      this.#selection.set(this.#found.placesBetween(anchor, this.#found.indexOf(line)), true);
    } else {
      this.#selection.toggle(this.#found.placesOf(line));
      this.#anchor = line;
    }
    this.#afterChoice();
  }

  #afterChoice() {
    this.list.refresh();
    this.#tell();
  }

  #fold(line) {
    const folder = this.#found.folderOfLine(line);
    folder.isClosed = !folder.isClosed;
    this.#sift();
  }

  #sift() {
    clearTimeout(this.#siftTimer);
    this.#siftTimer = null;
    this.#found.sift();
    this.list.count = this.#found.length;
    this.element.querySelector("[data-nothing]").hidden = this.#found.length > 0;
    this.tree.hidden = this.#found.length === 0;
    this.#tell();
  }

  #tell() {
    clearTimeout(this.#tellTimer);
    this.#tellTimer = null;
    const found = this.#found;
    write(this.element.querySelector("[data-trouble-count]"), formatCount(found.counts.trouble));
    const places = this.#selection.places();
    this.onSelection({
      items: places.map((place) => found.items[place]),
      hidden: places.filter((place) => !found.isShown(place)).length,
      shown: found.shownCount,
      all: this.#selection.stateOf(found.allShown()),
    });
  }

  #fill(row, index) {
    const line = this.#found.lineAt(index);
    const folder = this.#found.folderOfLine(line);
    const chosen = this.#selection.stateOf(this.#found.placesOf(line));
    const inTree = isHead(line)
      ? { position: folder.rank, size: this.#found.shownFolders }
      : { position: index - folder.head, size: folder.shown };
    this.rows.place(row, { index, chosen, isActive: line === this.#active, ...inTree });
    if (isHead(line)) this.rows.fillFolder(row, folder);
    else this.rows.fillItem(row, this.#found.items[line]);
  }

  // Names the active row to a screen reader while it exists; scrolled away, it does not.
  #pointAtActive({ first, end }) {
    const index = this.#active === null ? -1 : this.#found.indexOf(this.#active);
    if (index >= first && index < end) this.tree.setAttribute("aria-activedescendant", rowId(index));
    else this.tree.removeAttribute("aria-activedescendant");
  }
}
