// A long list of which only the visible rows exist.

const OVERSCAN = 6;
const SOON_MS = 100;

// The rows from `first` up to, not including, `end` that a viewport shows.
export function visibleRange({ scrollTop, height, rowHeight, count, overscan = OVERSCAN }) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - overscan);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + overscan);
  return { first: Math.min(first, end), end };
}

export class VirtualList {
  #rows = new Map();
  #free = [];
  #scheduled = false;
  #timer = null;
  #count = 0;

  // `makeRow()` makes one element; `fillRow(row, index)` puts one entry into it.
  constructor(viewport, { rowHeight, makeRow, fillRow }) {
    Object.assign(this, { viewport, rowHeight, makeRow, fillRow });
    this.space = viewport.querySelector("[data-virtual-space]");
    viewport.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(viewport);
  }

  set count(count) {
    if (count !== this.#count) {
      this.#count = count;
      this.space.style.setProperty("--virtual-height", `${count * this.rowHeight}px`);
    }
    this.refresh();
  }

  // Fills what is visible at the next frame, however often it is asked to.
  refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  // For what changes hundreds of times a second: nobody reads faster than this.
  refreshSoon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, SOON_MS);
  }

  #render() {
    const { first, end } = visibleRange({
      scrollTop: this.viewport.scrollTop,
      height: this.viewport.clientHeight,
      rowHeight: this.rowHeight,
      count: this.#count,
    });
    for (const [index, row] of this.#rows) {
      if (index < first || index >= end) this.#release(index, row);
    }
    for (let index = first; index < end; index += 1) this.#place(index);
  }

  #place(index) {
    const row = this.#rows.get(index) ?? this.#free.pop() ?? this.makeRow();
    if (!this.#rows.has(index)) {
      this.#rows.set(index, row);
      row.style.setProperty("--row-top", `${index * this.rowHeight}px`);
      row.setAttribute("aria-setsize", this.#count);
      row.setAttribute("aria-posinset", index + 1);
      if (!row.isConnected) this.space.append(row);
    }
    this.fillRow(row, index);
  }

  #release(index, row) {
    this.#rows.delete(index);
    row.remove();
    this.#free.push(row);
  }
}
