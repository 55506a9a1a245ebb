// How a run is related to others that repeat it: the run it repeats, the one that repeats it, and its own continuation.
import { h, replace, span } from "../ui/dom.js";
import { agoTime } from "../ui/ticker.js";

export class Lineage {
  #shown = "";

  constructor() {
    this.element = span("run-lineage");
  }

  update({ retry_of: original, retried_as: repeat, retried_at: retriedAt }) {
    const key = [original, repeat, retriedAt].join(" ");
    if (this.#shown === key) return;
    this.#shown = key;
    replace(this.element, original ? span("", "retry of ", linkTo(original)) : null,
      repeat ? span("", "retried as ", linkTo(repeat)) : null,
      retriedAt ? span("", "continued ", agoTime(retriedAt)) : null);
  }
}

const linkTo = (runId) => h("a", { href: `#/runs/${encodeURIComponent(runId)}` }, h("code", {}, runId));
