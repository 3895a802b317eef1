// What a key means in the list: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/

const STEPS = {
  ArrowDown: () => 1,
  ArrowUp: () => -1,
  PageDown: (page) => page,
  PageUp: (page) => -page,
  Home: () => -Infinity,
  End: () => Infinity,
};
const COMMANDS = {
  ArrowRight: "open", ArrowLeft: "close", " ": "toggle", Enter: "enter", Escape: "clear",
};

// Returns {step, extends} or {command}, or null for a key that is none of the list's business.
export function readKey(event, page) {
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  if ((ctrlKey || metaKey) && key.toLowerCase() === "a") return { command: "all" };
  if (ctrlKey || metaKey || altKey) return null;
  if (key in STEPS) return { step: STEPS[key](page), extends: shiftKey };
  return key in COMMANDS ? { command: COMMANDS[key] } : null;
}
