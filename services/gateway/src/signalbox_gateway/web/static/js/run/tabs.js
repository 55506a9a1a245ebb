// The tabs of a run: links, so that each has an address.
import { h, replace, setText, span } from "../ui/dom.js";

export const TABS = {
  overview: "Overview", timeline: "Timeline", events: "Events", files: "Files", result: "Input and result", decisions: "Decisions",
};

export class RunTabs {
  constructor(runId) {
    this.runId = runId;
    this.links = new Map();
    this.counts = new Map();
    for (const [name, title] of Object.entries(TABS)) {
      const count = span("count");
      this.links.set(name, h("a", { href: this.#addressOf(name) }, title, count));
      this.counts.set(name, count);
    }
    this.element = h("nav", { class: "tabs", "aria-label": "Parts of the run" });
    replace(this.element, [...this.links.values()]);
  }

  /** The link to the events keeps their filter. */
  filterEvents(text) { this.links.get("events").setAttribute("href", this.#addressOf("events") + (text ? `?${new URLSearchParams({ filter: text })}` : "")); }

  #addressOf(name) { return `#/runs/${encodeURIComponent(this.runId)}${name === "overview" ? "" : `/${name}`}`; }

  select(name) {
    for (const [tab, link] of this.links) {
      if (tab === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  count(name, number) { setText(this.counts.get(name), number ? String(number) : ""); }
}
