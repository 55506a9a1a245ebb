// The theme: light, dark or the system's. The choice is stored in the browser.
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "signalbox.theme";
const ORDER = ["auto", "light", "dark"];
const LOOK = { auto: ["auto", "Theme: same as system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };

export function themeButton() {
  const button = h("button", { type: "button", class: "icon-button", onclick: () => show(next()) });
  const next = () => ORDER[(ORDER.indexOf(button.dataset.theme) + 1) % ORDER.length];
  const show = (theme) => {
    apply(theme);
    button.dataset.theme = theme;
    const [name, label] = LOOK[theme];
    button.setAttribute("aria-label", `${label}. Change theme`);
    button.setAttribute("title", label);
    replace(button, icon(name));
  };
  show(stored());
  return button;
}

function stored() {
  try { return localStorage.getItem(KEY) ?? "auto"; } catch { return "auto"; }
}

function apply(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch { /* storage is disabled: the choice lasts until the page is closed */ }
}
