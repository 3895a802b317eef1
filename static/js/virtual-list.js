// A long list of which only the visible rows exist.

const OVERSCAN = 6;
const SOON_MS = 100;

// The rows from `first` up to, not including, `end` that a viewport shows.
export function visibleRange({ scrollTop, height, rowHeight, count, overscan = OVERSCAN }) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - overscan);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + overscan);
  return { first: Math.min(first, end), end };
}

// Where to scroll so that the row at `index` is wholly in sight; where it is when it already is.
export function scrollTopFor(index, { scrollTop, height, rowHeight }) {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - height);
}

export class VirtualList {
  #rows = new Map();
  #kinds = new WeakMap();
  #free = new Map();
  #scheduled = false;
  #timer = null;
  #count = 0;

  // `makeRow(kind)` makes one element, `fillRow(row, index)` puts one entry into it, and rows are
  // used again for entries of the same `kindOf(index)`. All have one height.
  constructor(viewport, { rowHeight, makeRow, fillRow, kindOf = () => "row", onRender = () => {} }) {
    Object.assign(this, { viewport, rowHeight, makeRow, fillRow, kindOf, onRender });
    this.space = viewport.querySelector("[data-virtual-space]");
    viewport.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(viewport);
  }

  get rowsInSight() {
    return Math.max(1, Math.floor(this.viewport.clientHeight / this.rowHeight));
  }

  // The first row that is wholly in sight.
  get firstInSight() {
    return Math.ceil(this.viewport.scrollTop / this.rowHeight);
  }

  get count() {
    return this.#count;
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

  reveal(index) {
    const { scrollTop, clientHeight: height } = this.viewport;
    this.viewport.scrollTop = scrollTopFor(index, { scrollTop, height, rowHeight: this.rowHeight });
    this.refresh();
  }

  #render() {
    const { first, end } = visibleRange({
      scrollTop: this.viewport.scrollTop,
      height: this.viewport.clientHeight,
      rowHeight: this.rowHeight,
      count: this.#count,
    });
    for (const [index, row] of this.#rows) {
      const stays = index >= first && index < end && this.kindOf(index) === this.#kinds.get(row);
      if (!stays) this.#release(index, row);
    }
    for (let index = first; index < end; index += 1) this.#place(index);
    this.#arrange(first, end);
    this.onRender({ first, end });
  }

  #place(index) {
    let row = this.#rows.get(index);
    if (!row) {
      const kind = this.kindOf(index);
      row = this.#free.get(kind)?.pop() ?? this.makeRow(kind);
      this.#kinds.set(row, kind);
      this.#rows.set(index, row);
      row.style.setProperty("--row-top", `${index * this.rowHeight}px`);
    }
    this.fillRow(row, index);
  }

  #release(index, row) {
    this.#rows.delete(index);
    const kind = this.#kinds.get(row);
    if (!this.#free.has(kind)) this.#free.set(kind, []);
    this.#free.get(kind).push(row);
  }

  // A screen reader walks the document: rows stand in it as they stand on the screen.
  #arrange(first, end) {
    let next = this.space.firstElementChild;
    for (let index = first; index < end; index += 1) {
      const row = this.#rows.get(index);
      if (row === next) next = next.nextElementSibling;
      else this.space.insertBefore(row, next);
    }
    for (const rows of this.#free.values()) for (const row of rows) row.remove();
  }
}
