// Asks before the page is left, only while something would be lost by it.

export class LeaveGuard {
  #isUp = false;

  // Bound only while it is needed: a page with this listener is not kept for the way back.
  set(isNeeded) {
    if (isNeeded === this.#isUp) return;
    this.#isUp = isNeeded;
    if (isNeeded) window.addEventListener("beforeunload", ask);
    else window.removeEventListener("beforeunload", ask);
  }
}

function ask(event) {
  event.preventDefault();
}
