// One run in a list.
import { h, setText, span } from "../dom.js";
import { elapsed } from "../format.js";
import { agoTime, running } from "../ticker.js";
import { statusSign } from "./lamp.js";

export class RunRow {
  constructor(run, title) {
    this.sign = statusSign(run.status);
    this.time = span("run-time");
    this.element = h("li", {}, h("a", { class: "run-row", href: `#/runs/${encodeURIComponent(run.run_id)}` },
      this.sign.element,
      span("run-names", span("run-title", title ?? run.pipeline), span("run-id", run.run_id)),
      span("run-by", run.started_by ?? ""), this.time,
      run.started_at ? agoTime(run.started_at, "run-ago") : null));
  }

  update(run) {
    this.sign.set(run.waiting && run.status === "running" ? "attention" : run.status);
    const live = ["running", "paused", "queued"].includes(run.status) && run.started_at;
    if (live) this.time.dataset.since = run.started_at;
    else delete this.time.dataset.since;
    const took = () => elapsed(run.started_at, run.ended_at ?? run.started_at);
    setText(this.time, live ? running(run.started_at) : took());
  }
}
