// Tells the server of documents, a window at a time, and what it said of each.

import { ApiError, nextStep } from "../api.js";

export const WINDOW = 500;

export class Registrar {
  constructor({ api, batch, patience }) {
    Object.assign(this, { api, batch, patience });
  }

  // Lists up to WINDOW items without a hash or a URL. Calls `onAnswer(item, {document} | {problem})`.
  list(items, onAnswer) {
    return this.#register(items, { sign: false }, onAnswer);
  }

  // Adds the hashes and asks for URLs.
  sign(items, onAnswer) {
    return this.#register(items, { sign: true }, onAnswer);
  }

  async #register(items, { sign }, onAnswer) {
    const documents = items.map(declare);
    const answer = await askWhole(() =>
      this.patience.ask((options) => this.api.register(this.batch, documents, { sign, ...options })),
    );
    const said = byKey(answer.documents, "client_key");
    const refused = byKey(answer.errors, "client_key");
    items.forEach((item, index) => {
      const key = documents[index].client_key;
      const document = said.get(key);
      onAnswer(item, document ? { document } : { problem: problemOf(refused.get(key), answer) });
    });
  }
}

// An answer to a list, also when the server took none of it: {documents, errors, error}.
export async function askWhole(call) {
  try {
    return await call();
  } catch (error) {
    return { documents: [], errors: error.errors ?? [], error };
  }
}

// Why one item of a list was not taken: {code, error, next, kind}.
export function problemOf(entry, { error } = {}) {
  if (entry) {
    const sentence = entry.detail ?? entry.title ?? "The server did not say why.";
    return { code: entry.code, error: sentence, next: nextStep("invalid"), kind: "invalid" };
  }
  const kind = error instanceof ApiError ? error.kind : "unknown";
  // It was none of this one's doing: the same may be fine a little later.
  const next = kind === "invalid" ? "Try again once that is settled." : nextStep(kind);
  const sentence = error?.message ?? "The server did not say why.";
  return { code: error?.code ?? "unknown", error: sentence, next, kind, isWhole: true };
}

export function byKey(entries, name) {
  return new Map((entries ?? []).map((entry) => [entry[name], entry]));
}

// The hash is told once it is known. The type only at first, for the browser guesses it from the
// name, and another browser guesses otherwise.
function declare({ key, path, size, sha256, id, isTyped, blob }) {
  const said = { client_key: key, path, size };
  if (sha256) said.sha256 = sha256;
  if (id === null && isTyped) said.content_type = typeOf(blob);
  return said;
}

// What a browser makes up freely the server would refuse.
function typeOf({ type }) {
  return /^[\w.+-]{1,90}\/[\w.+-]{1,90}$/.test(type) ? type : "";
}
