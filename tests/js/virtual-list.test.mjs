import assert from "node:assert/strict";
import { test } from "node:test";

import { VirtualList, scrollTopFor } from "../../static/js/virtual-list.js";

// As much of a scrolling box as the list asks of one.
class Box {
  children = [];
  style = { setProperty() {} };

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  insertBefore(row, next) {
    row.remove();
    this.children.splice(next ? this.children.indexOf(next) : this.children.length, 0, row);
    row.box = this;
  }
}

class Row {
  box = null;
  style = { setProperty() {} };

  constructor(kind) {
    this.kind = kind;
  }

  get nextElementSibling() {
    return this.box.children[this.box.children.indexOf(this) + 1] ?? null;
  }

  remove() {
    if (this.box) this.box.children.splice(this.box.children.indexOf(this), 1);
    this.box = null;
  }
}

function makeList(kindOf) {
  globalThis.requestAnimationFrame = (act) => act();
  globalThis.ResizeObserver = class {
    observe() {}
  };
  const space = new Box();
  const viewport = {
    scrollTop: 0, clientHeight: 300, querySelector: () => space,
    addEventListener: (_kind, listener) => (viewport.scrolled = listener),
  };
  const made = [];
  const list = new VirtualList(viewport, {
    rowHeight: 60, kindOf,
    makeRow: (kind) => {
      made.push(kind);
      return new Row(kind);
    },
    fillRow: (row, index) => (row.index = index),
  });
  const scrollTo = (top) => {
    viewport.scrollTop = top;
    viewport.scrolled();
  };
  return { list, space, made, scrollTo };
}

const indexes = (space) => space.children.map(({ index }) => index);

test("a row is brought into sight by as little as it takes", () => {
  const view = { scrollTop: 600, height: 300, rowHeight: 60 };

  assert.equal(scrollTopFor(12, view), 600);
  assert.equal(scrollTopFor(3, view), 180);
  assert.equal(scrollTopFor(15, view), 660);
});

test("rows are used again and stand in the order in which they are seen", () => {
  const { list, space, made, scrollTo } = makeList(() => "row");
  list.count = 20_000;
  const first = indexes(space);

  for (let top = 0; top < 1_200_000; top += 777) scrollTo(top);
  for (let top = 1_100_000; top > 0; top -= 131) scrollTo(top);
  scrollTo(0);

  assert.deepEqual(first, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(indexes(space), first);
  assert.ok(made.length <= 18, `${made.length} rows were made`);
});

test("a line that becomes another kind gets another row", () => {
  let heads = new Set([0]);
  const { list, space } = makeList((index) => (heads.has(index) ? "folder" : "document"));
  list.count = 8;
  const kinds = () => space.children.map(({ kind }) => kind[0]).join("");

  assert.equal(kinds(), "fddddddd");
  heads = new Set([0, 1, 4]);
  list.refresh();
  assert.equal(kinds(), "ffddfddd");
  assert.deepEqual(indexes(space), [0, 1, 2, 3, 4, 5, 6, 7]);
});
