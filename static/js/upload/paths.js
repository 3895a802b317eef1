// Paths as the server keeps them: NFC, forward slashes, relative.

const MAX_SEGMENT_BYTES = 255;
const MAX_PATH_CHARACTERS = 1024;
const encoder = new TextEncoder();

export function normalisePath(path) {
  return path.normalize("NFC").replaceAll("\\", "/").replace(/^\/+/, "");
}

// Returns the sentence that says why a path cannot be used, or null.
export function refusePath(path) {
  const segments = path.split("/");
  if (/[\u0000-\u001f\u007f]/.test(path)) return "The name contains a control character.";
  if (segments.some((segment) => segment.trim() === "" || segment === "." || segment === "..")) {
    return "The path contains an empty or dotted segment.";
  }
  if (segments.some((segment) => encoder.encode(segment).length > MAX_SEGMENT_BYTES)) {
    return `One part of the path is longer than ${MAX_SEGMENT_BYTES} bytes.`;
  }
  if ([...path].length > MAX_PATH_CHARACTERS) {
    return `The path is longer than ${MAX_PATH_CHARACTERS} characters.`;
  }
  return null;
}
