// Which documents of a list are chosen, by their place in it.

export class Selection {
  #chosen;
  count = 0;

  constructor(size) {
    this.#chosen = new Uint8Array(size);
  }

  has(place) {
    return this.#chosen[place] === 1;
  }

  set(places, isChosen) {
    const value = isChosen ? 1 : 0;
    for (const place of places) {
      this.count += value - this.#chosen[place];
      this.#chosen[place] = value;
    }
  }

  // All of them when one is missing, otherwise none of them.
  toggle(places) {
    this.set(places, this.stateOf(places) !== "all");
  }

  clear() {
    this.#chosen.fill(0);
    this.count = 0;
  }

  // "all", "some" or "none" of these.
  stateOf(places) {
    let chosen = 0;
    for (const place of places) chosen += this.#chosen[place];
    if (chosen === 0) return "none";
    return chosen === places.length ? "all" : "some";
  }

  places() {
    const found = [];
    this.#chosen.forEach((value, place) => {
      if (value) found.push(place);
    });
    return found;
  }
}
