// Tells when the browser goes offline and comes back.

const PROBE_EVERY_MS = 5000;

// "Offline" is a hint: a page from this very machine is reached without any network, so while the
// browser says offline, `probe()` asks whether the server answers. Returns what ends the watch.
export function watchConnection({ onOffline, onOnline, probe, wait, page = globalThis }) {
  if (typeof page.addEventListener !== "function") return () => {};
  let outage = null;
  const online = () => {
    outage = null;
    onOnline();
  };
  const offline = async () => {
    const mine = {};
    outage = mine;
    onOffline();
    while (isLocal(page.location)) {
      await wait(PROBE_EVERY_MS);
      if (outage !== mine) return;
      if (await probe()) {
        if (outage === mine) online();
        return;
      }
    }
  };
  page.addEventListener("offline", offline);
  page.addEventListener("online", online);
  if (page.navigator?.onLine === false) offline();
  return () => {
    outage = null;
    page.removeEventListener("offline", offline);
    page.removeEventListener("online", online);
  };
}

function isLocal(location) {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(location?.hostname ?? "");
}
