// Runs before the first paint, so that a remembered theme never flashes the other one.
(function () {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage can be forbidden; the system's preference then stands.
  }
})();
