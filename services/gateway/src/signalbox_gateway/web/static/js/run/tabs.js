// The tabs of a run: links, so that each has an address.
import { h, replace, setText, span } from "../ui/dom.js";

export const TABS = {
  overview: "Overview", timeline: "Timeline", events: "Events", files: "Files", result: "Input and result", decisions: "Decisions",
};

export class RunTabs {
  constructor(runId) {
    this.links = new Map();
    this.counts = new Map();
    for (const [name, title] of Object.entries(TABS)) {
      const count = span("count");
      const path = `#/runs/${encodeURIComponent(runId)}${name === "overview" ? "" : `/${name}`}`;
      this.links.set(name, h("a", { href: path }, title, count));
      this.counts.set(name, count);
    }
    this.element = h("nav", { class: "tabs", "aria-label": "Parts of the run" });
    replace(this.element, [...this.links.values()]);
  }

  select(name) {
    for (const [tab, link] of this.links) {
      if (tab === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  count(name, number) { setText(this.counts.get(name), number ? String(number) : ""); }
}
