// The five lines that an item passes, and what brings it from one to the next.
//
// Manifest, hashing, signing, sending, completing. Everything runs by what happens: no loop ends,
// so what was paused or failed may join again at any time. `place` says where an item stands.

import { nextStep } from "../api.js";
import { Completing } from "./completing.js";
import { Hashing } from "./hashing.js";
import { hashItem } from "./hash-item.js";
import { isFinal, isHashed, isListed, keyOfChanged } from "./item.js";
import { isHeardOf } from "./item-status.js";
import { Manifest } from "./manifest.js";
import { storedBytes } from "./parts.js";
import { GONE } from "./reading.js";
import { Registrar } from "./registrar.js";
import { Sender } from "./sender.js";
import { Signing } from "./signing.js";
import { usableUntil } from "./upload-url.js";

const NO_URL = { error: "The server gave no place to send it to.", next: nextStep("server") };

export class Lines {
  // Besides the edges: `onUpload(upload)` is told of each that was signed, `onLate(item)` of one
  // that was cancelled before the server had named it, `onEnd()` when nothing is left.
  constructor(given) {
    Object.assign(this, given);
    const { api, batch, patience, gate, wait } = given;
    const registrar = new Registrar({ api, batch, patience });
    this.manifest = new Manifest({
      list: (items) => registrar.list(items, (item, answer) => this.#listed(item, answer)),
      onAll: (items) => this.hashing.add(items),
    });
    this.hashing = new Hashing({
      // Only a person stops it: it needs neither the line nor the server.
      isHeld: () => gate.isHeldBy("user"),
      most: given.hashesAtOnce,
      hash: (item) => this.#hash(item),
    });
    this.signing = new Signing({
      gate, wait,
      sign: (items) => registrar.sign(items, (item, answer) => this.#signed(item, answer)),
      load: () => this.#load(),
      isDone: () => this.hashing.isIdle && !this.manifest.isRunning,
    });
    this.completing = new Completing({
      api, batch, patience, wait, onAnswer: (item, answer) => this.#completed(item, answer),
    });
    this.sender = this.#makeSender(given);
  }

  #makeSender({ put, gate, width, ledger, now, wait, isReadable }) {
    return new Sender({
      put, gate, width, ledger, now, wait, isReadable,
      renew: (item, signal) => this.signing.renew(item, signal),
      onProgress: (item, loaded) => this.#progress(item, loaded),
      onStale: (item) => this.signing.pushFirst(item),
      onRoom: () => this.signing.pump(),
      onSent: (item) => this.#sent(item),
      onFailed: (item, error) => this.#notSent(item, error),
    });
  }

  // Puts items that nobody has into the line where they belong; all that are new are listed first.
  enter(items) {
    const parked = items.filter((item) => item.place === null && !isFinal(item));
    this.hashing.add(parked.filter((item) => isListed(item) && !isHashed(item)));
    for (const item of parked) if (isListed(item) && isHashed(item)) this.#enterHashed(item);
    this.manifest.add(parked.filter((item) => !isListed(item)));
  }

  pump() {
    this.hashing.pump();
    this.signing.pump();
    this.sender.pump();
  }

  // Ends an item, wherever it stands; returns whether it ended now.
  settle(item, state, fields) {
    if (!this.ledger.settle(item, state, fields)) return false;
    this.sender.holdOne(item);
    this.signing.letGo(item);
    this.#noteEnd();
    return true;
  }

  // The pace of the transfers, by which so many URLs are asked for as are about to be used.
  #load() {
    const { bytesPerSecond, documentsPerSecond } = this.pace;
    const { waiting, waitingBytes } = this.sender;
    return { waiting, waitingBytes, width: this.width.now, bytesPerSecond, documentsPerSecond };
  }

  #noteEnd() {
    if (this.ledger.unsent === 0) this.completing.flush();
    if (this.ledger.unsettled === 0) this.onEnd();
  }

  #listed(item, { document, problem }) {
    if (isFinal(item)) this.#late(item, document);
    else if (document) this.#know(item, document);
    else if (problem.code !== "declaration_changed") this.#refuse(item, problem);
    else if (item.isTyped) {
      // Perhaps only the type differs, which another browser guessed.
      item.isTyped = false;
      this.manifest.again(item);
    } else {
      // Other bytes than those that were listed here: another document, named by its hash.
      item.key = null;
    }
  }

  // What the server has already is not sent again.
  #know(item, { id, status }) {
    if (status === "awaiting") this.ledger.change(item, { id, status });
    else this.settle(item, status === "cancelled" ? "cancelled" : "there", { id, status });
  }

  // Cancelled while the server was being told of it.
  #late(item, document) {
    if (item.state !== "cancelled" || !document || item.id !== null) return;
    item.id = document.id;
    this.onLate(item);
  }

  async #hash(item) {
    this.ledger.change(item, { state: "checking" });
    const error = await hashItem(item, this.hash);
    if (error !== null) this.settle(item, "failed", { error, next: nextStep("invalid") });
    if (isFinal(item)) return;
    item.place = null;
    this.#enterHashed(item);
  }

  #enterHashed(item) {
    this.ledger.change(item, { state: "registered" });
    const isSigned = item.upload && item.usableUntil > this.now();
    const line = isSigned ? this.sender : this.signing;
    if (this.signing.isAlong(item)) line.pushFirst(item);
    else line.push(item);
  }

  #signed(item, { document, problem }) {
    if (isFinal(item)) {
      this.#late(item, document);
      return;
    }
    // Otherwise it has another place already: a transfer asked for it, and goes on or was held.
    const isInLine = item.place === "signing";
    if (isInLine) item.place = null;
    if (problem) this.#notSigned(item, problem, isInLine);
    else if (document.upload) this.#takeUpload(item, document, isInLine);
    else if (document.status === "awaiting") this.settle(item, "failed", NO_URL);
    else this.#know(item, document);
  }

  #notSigned(item, problem, isInLine) {
    const isChanged = problem.code === "declaration_changed" && item.sha256 !== null;
    if (!isChanged || item.key === keyOfChanged(item) || !isInLine) {
      this.#refuse(item, problem);
      return;
    }
    Object.assign(item, { key: keyOfChanged(item), id: null });
    this.signing.pushFirst(item);
  }

  #takeUpload(item, { id, status, upload }, isInLine) {
    this.ledger.change(item, {
      id, status, upload, usableUntil: usableUntil(upload, this.now()),
    });
    this.ledger.stored(item, storedBytes(upload, item.size));
    this.onUpload(upload);
    if (isInLine) this.#enterHashed(item);
  }

  #progress(item, loaded) {
    this.ledger.progress(item, loaded);
    this.pace.add({ bytes: this.ledger.movedBytes, documents: this.sentCount }, this.now());
  }

  #sent(item) {
    this.sentCount += 1;
    this.#progress(item, item.size);
    this.ledger.change(item, { state: "sent", upload: null, error: null, next: null });
    this.signing.letGo(item);
    this.completing.push(item);
    this.#noteEnd();
  }

  #notSent(item, error) {
    // What changed on the disk has another hash.
    if (error.message === GONE) item.sha256 = null;
    this.settle(item, "failed", { error: error.message, next: nextStep(error.kind ?? "unknown") });
  }

  #completed(item, { document, problem }) {
    if (isFinal(item)) return;
    item.place = null;
    if (document) {
      // News of it may have come before the answer.
      this.settle(item, "there", isHeardOf(item) ? {} : { status: document.status });
    } else if (problem.code === "object_missing" && !item.sentAgain) this.#sendAgain(item);
    else this.settle(item, "failed", { error: problem.error, next: problem.next });
  }

  // The server does not see the bytes: send them once more, then say so.
  #sendAgain(item) {
    item.sentAgain = true;
    this.ledger.stored(item, 0);
    this.#enterHashed(item);
  }

  // A document that is refused itself is not tried again; a window that was may be.
  #refuse(item, { error, next, isWhole }) {
    this.settle(item, isWhole ? "failed" : "refused", { error, next });
  }
}
