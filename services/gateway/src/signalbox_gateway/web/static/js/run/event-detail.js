// The whole of one event: its data, and ways to copy it.
import { BASE } from "../data/api.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace, setText } from "../ui/dom.js";
import { full } from "../ui/format.js";
import { icon } from "../ui/icons.js";

export class EventDetail {
  constructor(runId) {
    this.runId = runId;
    this.head = h("p", { class: "log-detail", role: "status" });
    this.body = div("log-payload");
    this.element = h("div", { class: "log-drawer" }, this.head, this.body);
  }

  show(line) {
    setText(this.head, `${full(line.at)} · ${line.name} · ${line.text}`);
    replace(this.body, line.frame ? this.#payload(line.frame) : h("p", { class: "hint" }, "This line is part of the run's snapshot."));
  }

  #payload(frame) {
    const text = JSON.stringify(frame, null, 2);
    const copy = (label, value) => h("button", { type: "button", class: "button", onclick: () => copyText(value, label) }, icon("copy"), label);
    const stream = `${location.origin}${BASE}v1/runs/${encodeURIComponent(this.runId)}/stream?history=1`;
    const curl = `curl -N -H "Authorization: Bearer $SIGNALBOX_API_KEY" '${stream}'`;
    return [
      h("p", { class: "actions" }, copy("Copy as JSON", text), copy("Copy as curl", curl),
        copy("Copy as command", `signalbox events ${this.runId} --json`)),
      h("pre", { class: "payload", tabindex: "0", role: "region", "aria-label": "Event as JSON" }, text),
    ];
  }
}
