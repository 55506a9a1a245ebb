// The command palette: go to a page, start a pipeline, find a run, act on the current page.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { shown } from "../ui/dialog.js";
import { div, h, replace, span, uniqueId } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { nextTheme } from "../ui/theme.js";
import { matching } from "./palette-search.js";

const go = (hash) => () => { location.hash = hash; };

/** actions(): the current page's own commands, {text, icon, run}. */
export async function openPalette({ actions, signOut }) {
  const palette = new Palette([...own(actions()), ...pages(), ...commands(signOut)]);
  palette.loaded = api.pipelines().then(({ pipelines }) => palette.add(pipelines.map(startOf)), () => {});
  const chosen = await shown(palette.dialog, () => palette.chosen, { name: "search" });
  // The entry of the dialog leaves the history first, so that Back does not return to it.
  if (chosen) await settled();
  chosen?.run();
}

/** Resolves when the address no longer names the dialog. */
function settled() {
  if (!location.hash.includes("dialog=search")) return Promise.resolve();
  return new Promise((resolve) => { addEventListener("popstate", () => setTimeout(resolve), { once: true }); });
}

const own = (items) => items.map((item) => ({ group: "This page", ...item }));

function pages() {
  const to = (text, name, hash) => ({ group: "Go to", text, icon: name, run: go(hash) });
  const list = [
    to("Inbox", "inbox", "#/inbox"), to("Runs", "runs", "#/"),
    to("Failed runs", "runs", "#/?q=status%3Afailed"), to("Running runs", "runs", "#/?q=status%3Arunning"),
    to("Pipelines", "pipelines", "#/pipelines"), to("Schedules", "schedules", "#/schedules"), to("System", "system", "#/system"),
  ];
  if (may("viewer")) list.push(to("Activity", "activity", "#/activity"));
  return may("deployment_operator") ? [...list, to("Autoscaler", "system", "#/autoscaler")] : list;
}

function commands(signOut) {
  return [
    { group: "Console", text: "Change theme", icon: "auto", run: nextTheme },
    { group: "Console", text: "Sign out", icon: "out", run: signOut },
  ];
}

const startOf = ({ name, title }) => ({
  group: "Start", text: `Start ${title}`, hint: name, icon: "play", run: go(`#/start/${encodeURIComponent(name)}`),
});

/** What can be done with any text. */
function finders(text) {
  const word = text.trim();
  if (!word) return [];
  const find = { group: "Find", text: `Find runs: ${word}`, icon: "search", run: go(`#/?q=${encodeURIComponent(word)}`) };
  const open = { group: "Find", text: `Open run ${word}`, icon: "right", run: go(`#/runs/${encodeURIComponent(word)}`) };
  return /^[\w.~-]{8,}$/.test(word) ? [open, find] : [find];
}

class Palette {
  #items;
  #shown = [];
  #at = 0;
  chosen = null;
  loaded = Promise.resolve();

  constructor(items) {
    this.#items = items;
    this.list = h("div", { class: "palette-list", role: "listbox", id: uniqueId("palette"), "aria-label": "Commands" });
    this.field = h("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": this.list.id, "aria-autocomplete": "list",
      "aria-label": "Search or run a command", placeholder: "Go to, start, find…", autocomplete: "off", spellcheck: "false",
      oninput: () => { this.#at = 0; this.#draw(); }, onkeydown: (event) => this.#onKey(event),
    });
    this.dialog = h("dialog", { class: "palette", "aria-label": "Commands" },
      div("palette-field", icon("search"), this.field), this.list);
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.#draw();
  }

  add(items) {
    this.#items.push(...items);
    if (this.dialog.open) this.#draw();
  }

  #draw() {
    const text = this.field.value;
    this.#shown = [...matching(this.#items, text), ...finders(text)];
    const rows = [];
    let group = "";
    for (const [index, item] of this.#shown.entries()) {
      if (item.group !== group) rows.push(h("div", { class: "palette-group", role: "presentation" }, item.group));
      group = item.group;
      rows.push(this.#row(item, index));
    }
    replace(this.list, rows.length ? rows : h("p", { class: "palette-empty" }, "Nothing found"));
    this.#select(Math.min(this.#at, this.#shown.length - 1));
  }

  #row(item, index) {
    return h("div", {
      class: "palette-item", role: "option", id: `${this.list.id}-${index}`, "aria-selected": "false",
      onclick: () => this.#choose(index), onpointermove: () => this.#select(index),
    }, icon(item.icon), span("palette-text", item.text), item.hint ? span("palette-hint", item.hint) : null);
  }

  #select(index) {
    this.#at = Math.max(0, index);
    for (const option of this.list.querySelectorAll("[role=option]")) {
      const isChosen = option.id === `${this.list.id}-${this.#at}`;
      option.setAttribute("aria-selected", String(isChosen));
      if (!isChosen) continue;
      this.field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    }
  }

  #onKey(event) {
    const count = this.#shown.length;
    const next = { ArrowDown: this.#at + 1, ArrowUp: this.#at - 1 + count, Home: 0, End: count - 1 }[event.key];
    if (event.key === "Enter") this.#enter();
    else if (next === undefined || !count) return;
    else this.#select(next % count);
    event.preventDefault();
  }

  /** While nothing but a search matches, a pipeline may: it is chosen once they are loaded. */
  async #enter() {
    if (this.#at === 0 && this.#shown[0]?.group === "Find") await this.loaded;
    this.#choose(this.#at);
  }

  #choose(index) {
    this.chosen = this.#shown[index] ?? null;
    if (this.chosen) this.dialog.close();
  }
}
