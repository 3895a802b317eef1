// First in, first out, at the same cost however long it is.

export class Queue {
  #values = [];
  #head = 0;

  get length() {
    return this.#values.length - this.#head;
  }

  push(value) {
    this.#values.push(value);
  }

  // For the few that may pass the others.
  pushFirst(value) {
    if (this.#head > 0) this.#values[(this.#head -= 1)] = value;
    else this.#values.unshift(value);
  }

  shift() {
    if (this.length === 0) return undefined;
    const value = this.#values[this.#head];
    // What was taken must not be kept alive by the place where it stood.
    this.#values[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#values.length) {
      this.#values = this.#values.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }

  // The first one, without taking it.
  peek() {
    return this.#values[this.#head];
  }
}
