// What a frame means to somebody who has seen everything up to a number.

export class Cursor {
  #at;

  constructor(at = 0) {
    this.#at = at;
  }

  get at() {
    return this.#at;
  }

  // Returns what to do: {events, progress} to show, {gap} to ask for what is missing,
  // {restarted} when too much was missed and the page must look afresh.
  accept(frame) {
    const progress = frame.progress ?? frame.snapshot ?? null;
    const to = frame.to ?? this.#at;
    // The answer to a question that was too old to be told event by event.
    const isAnswer = frame.snapshot && frame.from !== undefined;
    if (isAnswer && !frame.events) return this.#restart(to, progress);
    // Heard before: an older progress would turn the page back.
    if (to < this.#at) return { events: [], progress: null };
    if (to === this.#at) return { events: [], progress };
    if (!frame.events || frame.from > this.#at) return { gap: true };
    const events = frame.events.filter((event) => !(event.seq <= this.#at));
    this.#at = to;
    return { events, progress };
  }

  #restart(to, progress) {
    this.#at = to;
    return { events: [], progress, restarted: true };
  }
}
