// Searches of the list of runs that were kept under a name; kept in this browser until signing out.
import { ask } from "../ui/dialog.js";
import { h, replace } from "../ui/dom.js";
import { iconButton } from "../ui/icons.js";
import { store, stored } from "../ui/preferences.js";

const KEY = "signalbox.views";
const MAX_VIEWS = 12;

/** {name: search text}. */
function savedViews() {
  try { return JSON.parse(stored(KEY) ?? "{}"); } catch { return {}; }
}

export const clearViews = () => store(KEY, null);

export class SavedViews {
  #text = "";

  constructor() {
    this.list = h("span", { class: "views" });
    this.keep = h("button", { type: "button", class: "button quiet", onclick: () => this.#keep() }, "Save view");
    this.element = h("nav", { class: "filters", "aria-label": "Saved views" }, this.list, this.keep);
  }

  /** Shows the views, and which one has the current search text. */
  update(text) {
    this.#text = text;
    const views = Object.entries(savedViews());
    this.keep.hidden = !text || views.some(([, search]) => search === text);
    replace(this.list, views.map(([name, search]) => h("span", { class: "preset" },
      h("a", { href: `#/?q=${encodeURIComponent(search)}`, title: search, "aria-current": search === text ? "true" : null }, name),
      iconButton(`Delete view ${name}`, "cancel", () => this.#drop(name)))));
  }

  async #keep() {
    const search = this.#text;
    const text = `The search “${search}” is kept in this browser until you sign out.`;
    const name = await ask({ name: "view", title: "Save view", text, label: "Name", action: "Save" });
    if (!name) return;
    const { [name]: _, ...others } = savedViews();
    this.#store(Object.entries({ ...others, [name]: search }).slice(-MAX_VIEWS));
  }

  #drop(name) { this.#store(Object.entries(savedViews()).filter(([known]) => known !== name)); }

  #store(views) {
    store(KEY, JSON.stringify(Object.fromEntries(views)));
    this.update(this.#text);
  }
}
