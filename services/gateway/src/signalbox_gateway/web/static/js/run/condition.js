// Why an open run does not continue, and what makes it continue.
import { h, replace } from "../ui/dom.js";
import { full } from "../ui/format.js";
import { agoTime } from "../ui/ticker.js";

export class ConditionNotice {
  #shown = null;

  constructor() {
    this.element = h("div", { class: "condition", role: "status" });
  }

  update({ blocked, queued }) {
    const condition = blocked ?? queued;
    const key = condition ? `${condition.reason} ${condition.since}` : null;
    if (this.#shown === key) return;
    this.#shown = key;
    replace(this.element, condition ? notice(condition, Boolean(blocked)) : []);
  }
}

function notice({ reason, since }, isBlocked) {
  const title = isBlocked ? "This run cannot continue" : "This run waits for a free worker";
  const next = isBlocked ? "The run continues without further action once the cause is removed." : null;
  return h("div", { class: isBlocked ? "notice notice-error" : "notice" },
    h("p", {}, h("strong", {}, title)), h("p", {}, `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`),
    h("p", { class: "hint" }, "Since ", h("time", { datetime: since }, full(since)), ", ", agoTime(since), next ? `. ${next}` : "."));
}
