// Whether the bytes behind a blob are still those that were listed.

export const GONE = "It was moved or changed on the disk since it was listed. Drop it again.";

// The browser refuses to read a document that changed since the page got hold of it.
export async function isReadable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
