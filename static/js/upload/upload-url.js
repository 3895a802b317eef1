// How long the URLs that the server signed can be used, by this computer's clock.

// A URL about to expire is not worth starting with.
const MARGIN_MS = 20000;
// The clock here may be minutes off: then the time on the URL says nothing, and this is assumed.
const ASSUMED_LIFE_MS = 240000;

// The moment after which the URLs of an upload that came just now are not begun with.
export function usableUntil(upload, now) {
  const { expires_at } = upload.multipart ?? upload;
  const life = Date.parse(expires_at) - now;
  if (!(life > 0)) return now + ASSUMED_LIFE_MS;
  return now + life - Math.min(MARGIN_MS, life / 4);
}
