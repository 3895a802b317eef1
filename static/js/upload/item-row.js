// One row of the list: a document, or the head of a folder.

import { formatBytes, formatCount } from "../format.js";
import { kindOf } from "../kinds.js";
import { itemStatus, nameOf, secondLine } from "./item-status.js";

const PARTS = ["kind", "name", "under", "size", "status", "bar", "done"];
const CHECKED = { all: "true", some: "mixed", none: "false" };

export class RowFiller {
  #parts = new WeakMap();

  constructor(element, { documentUrl }) {
    this.element = element;
    this.documentUrl = documentUrl;
  }

  make(kind) {
    const template = this.element.querySelector(`template[data-template="${kind}"]`);
    const row = template.content.firstElementChild.cloneNode(true);
    const parts = PARTS.map((name) => [name, row.querySelector(`[data-${name}]`)]);
    this.#parts.set(row, Object.fromEntries(parts));
    return row;
  }

  // What every row says of itself: where it stands, whether it is chosen, whether keys act on it.
  place(row, { index, chosen, isActive, position, size }) {
    row.id = rowId(index);
    row.dataset.index = index;
    set(row, "aria-checked", CHECKED[chosen]);
    set(row, "aria-posinset", position);
    set(row, "aria-setsize", size);
    row.classList.toggle("row--active", isActive);
  }

  fillFolder(row, { path, first, end, done, shown, isClosed }) {
    const part = this.#parts.get(row);
    const total = end - first;
    const filtered = shown === total ? "" : ` · ${formatCount(shown)} shown`;
    write(part.name, path || "Top level");
    part.name.title = path;
    write(part.under, `${formatCount(done)} of ${formatCount(total)} done${filtered}`);
    set(row, "aria-expanded", String(!isClosed));
    part.done.max = total;
    part.done.value = done;
  }

  fillItem(row, item) {
    const part = this.#parts.get(row);
    const { label, tone } = itemStatus(item);
    if (row.dataset.path !== item.path) this.#fillFixed(row, part, item);
    if (item.id && !part.name.href) part.name.href = this.documentUrl(item.id);
    const under = secondLine(item);
    write(part.under, under);
    part.under.title = item.error ? under : "";
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
    part.name.title = item.path;
    part.name.removeAttribute("href");
    part.size.textContent = formatBytes(item.blob.size);
    part.kind.dataset.kind = kind;
    const use = part.kind.querySelector("use");
    use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#kind-${kind}`);
  }
}

export function rowId(index) {
  return `line-${index}`;
}

// Writing what is there already would still cost a layout.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
