// The runs that a run has started, and the run that started it: links to their pages.
import { hasEnded } from "../data/fold.js";
import { h, replace, span } from "../ui/dom.js";
import { statusSign } from "../ui/status.js";

const addressOfRun = (runId) => `#/runs/${encodeURIComponent(runId)}`;

/** The link to the run that started this one; nothing for a run that has no parent. */
export class ParentLink {
  constructor() {
    this.element = span("run-parent");
  }

  update({ parent }) {
    if (this.parent === parent) return;
    this.parent = parent;
    replace(this.element, parent ? ["started by run ", h("a", { href: addressOfRun(parent) }, h("code", {}, parent))] : []);
  }
}

export class ChildRunList {
  constructor() {
    this.list = h("ul", { class: "child-runs" });
    this.count = span("count");
    this.element = h("section", { class: "panel", hidden: true, "aria-labelledby": "children-title" },
      h("h2", { id: "children-title" }, "Runs it started", this.count), this.list);
  }

  update(snapshot) {
    const { children } = snapshot;
    const ended = hasEnded(snapshot);
    if (this.shown === children && this.ended === ended) return;
    this.shown = children;
    this.ended = ended;
    this.element.hidden = children.length === 0;
    this.count.textContent = String(children.length);
    replace(this.list, children.map((child) => childItem(child, ended)));
  }
}

function childItem({ run_id: runId, title, status }, parentEnded) {
  // After its own end a run is not informed of its children any more; their pages are.
  const known = status !== "running" || !parentEnded;
  return h("li", {}, h("a", { href: addressOfRun(runId) }, title), " ", h("code", {}, runId), " ",
    known ? statusSign(status).element : null);
}
