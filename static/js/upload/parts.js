// What of a document is still to be sent: the whole in one PUT, or its parts one after another.

// The next piece {upload, blob, before, number?}, with `before` the bytes that are at the store
// already; null when nothing is left; undefined when more URLs are needed first.
export function nextPiece({ upload, blob, size }) {
  const { multipart } = upload;
  if (!multipart) return { upload, blob, before: 0 };
  const [part] = multipart.parts;
  if (!part) return multipart.done.length < countOf(multipart, size) ? undefined : null;
  const start = (part.number - 1) * multipart.part_size;
  const end = Math.min(start + multipart.part_size, size);
  const before = storedBytes(upload, size);
  return { upload: part, blob: blob.slice(start, end), before, number: part.number };
}

// Marks a piece as sent; returns whether that was all.
export function isLast({ upload, size }, piece) {
  const { multipart } = upload;
  if (!multipart) return true;
  multipart.parts.shift();
  multipart.done.push(piece.number);
  return multipart.done.length >= countOf(multipart, size);
}

// The bytes that the store holds of a document whose upload goes on.
export function storedBytes({ multipart }, size) {
  if (!multipart) return 0;
  const last = countOf(multipart, size);
  const lastBytes = size - (last - 1) * multipart.part_size;
  const whole = multipart.done.filter((number) => number !== last).length;
  return whole * multipart.part_size + (whole < multipart.done.length ? lastBytes : 0);
}

function countOf({ part_size }, size) {
  return Math.ceil(size / part_size);
}
