// Shortcuts of one key. They can be switched off, and they rest while someone types or a dialog is open.
import { store, stored } from "./preferences.js";

const KEY = "signalbox.keys";
const TYPING = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable], dialog *";

export const hasKeys = () => stored(KEY) !== "off";
export const switchKeys = (on) => store(KEY, on ? null : "off");

/** Calls `actions[key](event)`; returns a function that ends it. */
export function listenForKeys(actions) {
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !hasKeys()) return;
    if (event.target.matches?.(TYPING) || document.querySelector("dialog[open]")) return;
    const action = actions[event.key.toLowerCase()];
    if (action && action(event) !== false) event.preventDefault();
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
