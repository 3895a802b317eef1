// What this page sent, apart from what the server had before.

const LEAVING = new Set(["sending", "sent"]);

export class Tally {
  #leaving = new Set();

  note(changed) {
    for (const item of changed) if (LEAVING.has(item.state)) this.#leaving.add(item);
  }

  of({ items, counts }) {
    const arrived = items.filter(({ state }) => state === "there");
    const sent = arrived.filter((item) => this.#leaving.has(item)).length;
    const { failed, refused, cancelled } = counts;
    return { here: arrived.length - sent, sent, failed, refused, cancelled };
  }
}
