// The documents of this upload, thousands of them, as a list one can filter.

import { formatBytes, formatCount } from "../format.js";
import { kindOf } from "../kinds.js";
import { VirtualList } from "../virtual-list.js";
import { folderOf, isMoving, isTroubled, itemStatus, nameOf } from "./item-status.js";

const ROW_REM = 3.75;
const SIFT_EVERY_MS = 250;
const FILTERS = { all: () => true, moving: isMoving, trouble: isTroubled };

export class ItemList {
  #items = [];
  #shown = [];
  #filter = "all";
  #siftTimer = null;
  #parts = new WeakMap();

  constructor(element, { documentUrl }) {
    this.element = element;
    this.documentUrl = documentUrl;
    this.template = element.querySelector("template");
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.list = new VirtualList(element.querySelector("[data-virtual]"), {
      rowHeight: ROW_REM * rem,
      makeRow: () => this.#makeRow(),
      fillRow: (row, index) => this.#fill(row, this.#shown[index]),
    });
    for (const control of element.querySelectorAll("[name=show]")) {
      control.addEventListener("change", () => {
        this.#filter = control.value;
        this.#sift();
      });
    }
  }

  set items(items) {
    this.#items = items;
    this.#sift();
  }

  // Something changed: fill what is visible, and sift again a few times a second.
  changed() {
    this.list.refreshSoon();
    this.#siftTimer ??= setTimeout(() => this.#sift(), SIFT_EVERY_MS);
  }

  #sift() {
    clearTimeout(this.#siftTimer);
    this.#siftTimer = null;
    this.#shown = this.#items.filter(FILTERS[this.#filter]);
    this.list.count = this.#shown.length;
    const trouble = this.#items.filter(isTroubled).length;
    write(this.element.querySelector("[data-trouble-count]"), formatCount(trouble));
    this.element.querySelector("[data-nothing]").hidden = this.#shown.length > 0;
  }

  #makeRow() {
    const row = this.template.content.firstElementChild.cloneNode(true);
    const names = ["kind", "name", "under", "size", "status", "bar"];
    const parts = names.map((name) => [name, row.querySelector(`[data-${name}]`)]);
    this.#parts.set(row, Object.fromEntries(parts));
    return row;
  }

  #fill(row, item) {
    if (!item) return;
    const part = this.#parts.get(row);
    const { label, tone } = itemStatus(item);
    if (row.dataset.path !== item.path) this.#fillFixed(row, part, item);
    if (item.id && !part.name.href) part.name.href = this.documentUrl(item.id);
    write(part.under, item.error ?? (folderOf(item.path) || "Top level"));
    part.under.title = item.error ?? "";
    part.under.classList.toggle("row__error", Boolean(item.error));
    if (part.status.dataset.tone !== tone) part.status.dataset.tone = tone;
    write(part.status, label);
    part.bar.hidden = item.state !== "sending";
    if (item.state === "sending") part.bar.value = item.loaded / item.blob.size;
  }

  #fillFixed(row, part, item) {
    const kind = kindOf(item.path);
    row.dataset.path = item.path;
    part.name.textContent = nameOf(item.path);
    part.name.removeAttribute("href");
    part.size.textContent = formatBytes(item.blob.size);
    part.kind.dataset.kind = kind;
    const use = part.kind.querySelector("use");
    use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#kind-${kind}`);
  }
}

// Writing what is there already would still cost a layout.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
