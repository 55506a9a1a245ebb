// Where notifications are sent to, and how the last attempt of each destination went.
import { api } from "../data/api.js";
import { problemNotice } from "../ui/announce.js";
import { h, replace } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { statusSign } from "../ui/status.js";
import { agoTime } from "../ui/ticker.js";

const STATES = {
  unused: ["queued", "Not used yet"], ok: ["completed", "Delivered"], retrying: ["blocked", "Failing, retrying"], failed: ["failed", "Failed"],
};

export class DestinationsPanel {
  constructor() {
    this.body = h("div");
    this.element = h("section", { class: "panel", "aria-labelledby": "destinations-title" },
      h("h2", { id: "destinations-title" }, "Notifications"), this.body);
  }

  async load() {
    try {
      const { destinations } = await api.destinations();
      replace(this.body, destinations.length
        ? h("dl", { class: "data" }, destinations.map(row))
        : h("p", { class: "hint" }, "No destinations are configured for this tenant."));
    } catch (problem) { replace(this.body, problemNotice(problem)); }
  }
}

function row({ name, kind, status, last_attempt_at: at, failing_since: since, error }) {
  return h("div", {}, h("dt", {}, name, h("span", { class: "hint" }, ` ${humane(kind)}`)), h("dd", {}, stateSign(status),
    at ? h("span", { class: "hint" }, " last attempt ", agoTime(at)) : null,
    since ? h("span", { class: "hint" }, ", failing since ", agoTime(since)) : null,
    error ? h("p", { class: "destination-error" }, error) : null));
}

function stateSign(status) {
  const { element, set } = statusSign("queued");
  set(...(STATES[status] ?? ["queued", status]));
  return element;
}
