// Items by size, taken from either end: the smallest, or the largest.

export class SizeOrder {
  // Largest first, so that the smallest is popped and the largest is the head.
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  get largest() {
    return this.#items[this.#head];
  }

  // Sorts once for all of them: add many at a time.
  add(items) {
    // Turned round, so that of equal ones the first is popped first.
    const all = this.#items.slice(this.#head).concat([...items].reverse());
    this.#items = all.sort((one, other) => other.size - one.size);
    this.#head = 0;
  }

  insert(item) {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle].size >= item.size) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
  }

  takeSmallest() {
    return this.length > 0 ? this.#items.pop() : undefined;
  }

  takeLargest() {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    return item;
  }
}
