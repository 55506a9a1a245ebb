// The theme: light, dark or the system's. The choice is stored in the browser.
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { store, stored } from "./preferences.js";

const KEY = "signalbox.theme";
const ORDER = ["auto", "light", "dark"];
const LOOK = { auto: ["auto", "Theme: same as system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };
const CHANGED = "signalbox-theme";

export function themeButton() {
  const button = h("button", { type: "button", class: "icon-button", onclick: nextTheme });
  const show = () => {
    const theme = currentTheme();
    const [name, label] = LOOK[theme];
    button.dataset.theme = theme;
    button.setAttribute("aria-label", `${label}. Change theme`);
    button.setAttribute("title", label);
    replace(button, icon(name));
  };
  addEventListener(CHANGED, show);
  show();
  return button;
}

/** Changes to the next theme: system, light, dark. */
export function nextTheme() {
  const theme = ORDER[(ORDER.indexOf(currentTheme()) + 1) % ORDER.length];
  store(KEY, theme === "auto" ? null : theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event(CHANGED));
}

const currentTheme = () => (ORDER.includes(stored(KEY)) ? stored(KEY) : "auto");
