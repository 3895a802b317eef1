// The button that goes round: as the system says, light, dark.

const ORDER = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" };
const LABELS = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

export function nextTheme(theme) {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
}

function currentTheme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function remember(theme) {
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Storage can be forbidden; the choice then lasts for this page.
  }
}

function show(button) {
  const theme = currentTheme();
  const use = button.querySelector("use");
  use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${ICONS[theme]}`);
  button.setAttribute("aria-label", LABELS[theme]);
  button.title = LABELS[theme];
}

export function bindTheme(button) {
  show(button);
  button.addEventListener("click", () => {
    const theme = nextTheme(currentTheme());
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember(theme);
    show(button);
  });
}
