// One run in the table: state, what it is about, progress, who started it, how long it takes.
import { hasEnded } from "../data/fold.js";
import { listState } from "../data/run-state.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { elapsed, full } from "../ui/format.js";
import { iconButton } from "../ui/icons.js";
import { statusSign } from "../ui/status.js";
import { coarseLeft, running, shortAgo } from "../ui/ticker.js";

export class RunRow {
  #until = null;

  /** title: of the pipeline; picked(isPicked): the checkbox has changed. */
  constructor(run, title, { picked }) {
    this.sign = statusSign(run.status);
    this.left = span("run-left");
    this.time = span("run-time");
    this.fraction = span("run-fraction");
    this.fill = span("meter-fill");
    this.steps = div("run-steps", this.fraction, h("span", { class: "meter", "aria-hidden": "true" }, this.fill));
    this.box = h("input", { type: "checkbox", "aria-label": `Select ${run.run_id}`, onchange: () => picked(this.box.checked) });
    this.link = h("a", { class: "run-row", href: `#/runs/${encodeURIComponent(run.run_id)}` },
      span("run-state", this.sign.element, this.left),
      h("span", { class: "run-names", title: [run.subject, run.run_id].filter(Boolean).join("\n") },
        run.subject ? span("run-title", run.subject) : null, span("run-id", run.run_id)),
      span("run-pipeline", title ?? run.pipeline), this.steps,
      span("run-by", run.started_by ?? ""), this.time,
      span("run-ago", run.started_at ? shortAgo(run.started_at) : ""));
    this.element = h("li", { class: "run-line", data: { run: run.run_id } }, h("label", { class: "pick" }, this.box), this.link, this.#copyButton(run.run_id));
  }

  /** Not a tab stop: the key C does the same for the row with the focus. */
  #copyButton(runId) {
    const button = iconButton(`Copy run id ${runId}`, "copy", () => copyText(runId, "Run id"));
    button.classList.add("run-copy");
    button.tabIndex = -1;
    return button;
  }

  /** steps: {done, total, percent}, or null while unknown. */
  update(run, steps, isPicked) {
    const { status, text } = listState(run);
    this.sign.set(status, text);
    this.sign.element.title = (run.blocked ?? run.queued)?.reason ?? "";
    this.#showLeft(status === "attention" ? run.until ?? null : null);
    this.box.checked = isPicked;
    this.#showTime(run);
    setText(this.fraction, steps ? `${steps.done}/${steps.total}` : "");
    this.steps.lastElementChild.hidden = !steps;
    this.steps.toggleAttribute("data-ended", hasEnded(run));
    if (steps) this.fill.style.setProperty("--part", `${steps.percent}%`);
  }

  #showLeft(until) {
    if (this.#until === until) return;
    this.#until = until;
    replace(this.left, until ? [", ", span("visually-hidden", `until ${full(until)}`), coarseLeft(until)] : []);
  }

  #showTime(run) {
    const isLive = !hasEnded(run) && run.started_at;
    if (isLive) this.time.dataset.since = run.started_at;
    else delete this.time.dataset.since;
    setText(this.time, isLive ? running(run.started_at) : elapsed(run.started_at, run.ended_at ?? run.started_at));
  }
}

/** The progress of a run: what the stream has reported, or of a completed one all steps of its pipeline. */
export function progressOf(run, reported, stepCount) {
  if (reported) return reported;
  return run.status === "completed" && stepCount ? { done: stepCount, total: stepCount, percent: 100 } : null;
}
