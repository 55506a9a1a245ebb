// One run, live: steps, approvals, files, result and event log.
import { announce, toast } from "../announce.js";
import { div, h, replace, setText, span } from "../dom.js";
import { hasEnded, shortName } from "../fold.js";
import { elapsed, full, humane } from "../format.js";
import { iconButton } from "../icons.js";
import { ApprovalPanels } from "../parts/approval.js";
import { ArtifactList } from "../parts/artifacts.js";
import { RunControls } from "../parts/controls.js";
import { ImportMonths } from "../parts/import-view.js";
import { statusSign, statusWord } from "../parts/lamp.js";
import { LinkState } from "../parts/link-state.js";
import { LiveText } from "../parts/live-text.js";
import { EventLog } from "../parts/log.js";
import { PipelineView } from "../parts/pipeline-view.js";
import { resultView } from "../parts/result.js";
import { StepList } from "../parts/steps.js";
import { runState } from "../run-state.js";
import { RunWatch } from "../stream.js";
import { leftTime, running } from "../ticker.js";

export async function runPage({ parts: [runId], query, inboxChanged }) {
  const page = new RunPage(runId, { inboxChanged, targetApproval: query.get("approval") });
  await page.open();
  return { titlesItself: true, element: page.element, close: () => page.close() };
}

class RunPage {
  #drawing = 0;
  #drawn = null;
  #adopted = false;   // a complete snapshot has arrived since the last drawing

  constructor(runId, { inboxChanged, targetApproval }) {
    Object.assign(this, { runId, inboxChanged, targetApproval });
    this.watch = new RunWatch(runId, {
      event: (frame) => this.log.add(frame), change: (snapshot, frame) => this.#changed(snapshot, frame), state: (state) => this.link.set(state),
    });
    this.sign = statusSign("queued", { large: true });
    this.link = new LinkState();
    this.heading = h("h1", {}, "Run");
    this.left = span("status-left");
    this.time = span("run-clock");
    this.since = span("run-since");
    this.notice = h("div", {});
    this.steps = new StepList();
    this.approvals = new ApprovalPanels(runId, { decided: () => { this.watch.refresh().catch(() => {}); this.inboxChanged(); } });
    this.liveText = new LiveText();
    this.files = new ArtifactList(runId);
    this.view = new PipelineView(runId, { inboxChanged });
    this.months = new ImportMonths(runId);
    this.result = h("section", { class: "panel", hidden: true, "aria-labelledby": "result-title" });
    this.log = new EventLog();
    this.controls = new RunControls(runId, { done: () => this.watch.refresh().catch(() => {}) });
    this.element = this.#layout();
  }

  get title() { return this.heading.textContent; }

  /** Reads the first snapshot from the API, so that an unknown run is a 404. */
  async open() {
    await this.watch.refresh();
    this.#draw();
    this.watch.open();
  }

  close() {
    this.watch.close();
    this.view.close();
    this.approvals.close();
    this.liveText.close();
    cancelAnimationFrame(this.#drawing);
  }

  #layout() {
    const crumbs = h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Runs"), h("span", { "aria-hidden": "true" }, "/"),
      h("code", {}, this.runId), iconButton("Copy run id", "copy", () => this.#copy()));
    const panel = (id, title, body, more = null) => h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title, more), body);
    return div("page run-page",
      div("run-head",
        div("run-head-main", crumbs, this.heading, div("run-facts", this.sign.element, this.left, this.time, this.since, this.link.element)),
        this.controls.element),
      this.notice,
      div("run-body",
        h("aside", { class: "run-side" }, panel("steps-title", "Steps", this.steps.element)),
        div("run-main", this.approvals.element, this.liveText.element, this.view.element, this.result, this.months.element, this.files.element,
          panel("log-title", "Event log", this.log.element, this.log.count))));
  }

  #changed(snapshot, frame) {
    if (frame) this.#announce(frame);
    else this.#adopted = true;
    // Coalesces updates to one drawing per animation frame.
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#draw());
    if (frame && shortName(frame.type).startsWith("approval.")) this.inboxChanged();
    if (document.hidden) this.#draw();
  }

  #draw() {
    const snapshot = this.watch.snapshot;
    if (snapshot === this.#drawn) return;
    this.#drawn = snapshot;
    const { status, text, until } = runState(snapshot);
    setText(this.heading, snapshot.title || humane(snapshot.pipeline) || "Run");
    this.sign.set(status, text);
    this.#timeLeft(until);
    document.title = `${status === "attention" ? "● " : ""}${this.title} · Signalbox`;
    this.#clock(snapshot);
    this.steps.update(snapshot);
    this.approvals.update(snapshot);
    this.liveText.update(snapshot);
    this.view.update(snapshot);
    this.files.update(this.view.filesOf(snapshot));
    this.months.update(snapshot);
    this.controls.update(snapshot);
    if (this.#adopted) this.log.backfill(snapshot);
    this.#adopted = false;
    this.#outcome(snapshot);
    this.#scrollToApproval();
  }

  #timeLeft(until) {
    if (this.until === until) return;
    this.until = until;
    replace(this.left, until ? [span("visually-hidden", `until ${full(until)}`), leftTime(until)] : []);
  }

  #clock(snapshot) {
    if (!snapshot.started_at) { setText(this.time, ""); return; }
    setText(this.since, `started ${full(snapshot.started_at)}`);
    if (hasEnded(snapshot)) {
      delete this.time.dataset.since;
      setText(this.time, elapsed(snapshot.started_at, snapshot.ended_at));
    } else {
      this.time.dataset.since = snapshot.started_at;
      setText(this.time, running(snapshot.started_at));
    }
  }

  #outcome(snapshot) {
    const failed = snapshot.error;
    if (failed && !this.notice.hasChildNodes()) {
      const step = snapshot.steps.find((item) => item.name === failed.step);
      replace(this.notice, div("notice notice-error",
        h("p", {}, h("strong", {}, step ? `${step.title}: ` : "The run failed: "), failed.message),
        h("p", { class: "hint" }, h("code", {}, failed.code), failed.field ? ` at ${failed.field}` : "")));
    }
    const shown = snapshot.status === "completed" && snapshot.result !== null;
    if (shown && this.result.hidden) {
      this.approvals.element.before(this.view.element, this.result);
      replace(this.result, h("h2", { id: "result-title" }, "Result"), resultView(this.runId, snapshot.result));
    }
    this.result.hidden = !shown;
  }

  #scrollToApproval() {
    if (!this.targetApproval) return;
    const panel = [...this.approvals.element.children].find((item) => item.dataset.approval === this.targetApproval);
    if (!panel) return;
    this.targetApproval = null;
    requestAnimationFrame(() => panel.scrollIntoView({ block: "start" }));
  }

  #announce(frame) {
    const name = shortName(frame.type);
    if (name === "approval.requested") toast(`Approval requested: ${frame.data.title}`, { kind: "attention" });
    else if (name === "step.completed") announce(`${frame.data.title}: done`);
    else if (name === "step.failed") announce(`${frame.data.title}: failed`);
    else if (hasEnded(this.watch.snapshot)) this.#announceEnd(this.watch.snapshot.status);
  }

  #announceEnd(status) {
    toast(`Run ${statusWord(status).toLowerCase()}`, { kind: status === "completed" ? "good" : "info" });
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.runId);
      toast("Run id copied");
    } catch { toast(`Copying failed. Run id: ${this.runId}`); }
  }
}
