// One run, live: overview, timeline, events, files, result and decisions. A tab only shows another part of the page.
import { ApprovalPanels } from "../approval/approval.js";
import { RoundChanges } from "../approval/rounds.js";
import { Problem } from "../data/api.js";
import { Continuation } from "../data/continuation.js";
import { hasEnded, shortName } from "../data/fold.js";
import { runState } from "../data/run-state.js";
import { claimLeft } from "../data/waiting-for.js";
import { RunWatch } from "../data/stream.js";
import { PipelineView } from "../documents/pipeline-view.js";
import { announce, toast } from "../ui/announce.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { elapsed, full, humane } from "../ui/format.js";
import { iconButton } from "../ui/icons.js";
import { LinkState } from "../ui/link-state.js";
import { openPage } from "../ui/open-page.js";
import { replaceQuery } from "../ui/place.js";
import { statusSign, statusWord } from "../ui/status.js";
import { leftTime, running } from "../ui/ticker.js";
import { setTitle } from "../ui/title.js";
import { ArtifactList } from "./artifacts.js";
import { ChildRunList, ParentLink } from "./children.js";
import { ConditionNotice } from "./condition.js";
import { RunControls } from "./controls.js";
import { DataTab } from "./data-tab.js";
import { ImportMonths } from "./import-view.js";
import { Lineage } from "./lineage.js";
import { LiveText } from "./live-text.js";
import { EventLog } from "./log.js";
import { Outcome } from "./outcome.js";
import { StepList } from "./steps.js";
import { RunTabs, TABS } from "./tabs.js";
import { temporalLink } from "./temporal-link.js";
import { Timeline } from "./timeline.js";
import { WaitNotice } from "./waits.js";

export async function runPage({ parts: [runId, tab = "overview"], query, inboxChanged, reload }) {
  if (!Object.hasOwn(TABS, tab)) throw new Problem({ status: 404, detail: `A run has no tab "${tab}".` });
  const page = new RunPage(runId, { inboxChanged, reload, targetApproval: query.get("approval") });
  await openPage(page, tab, filterOf(tab, query));
  return {
    titlesItself: true, element: page.element, close: () => page.close(), entered: () => page.entered(),
    navigate: ({ parts: [, next = "overview"], query: now }) => {
      page.select(Object.hasOwn(TABS, next) ? next : "overview", filterOf(next, now));
    },
    openDialog: (name) => page.controls.openDialog(name),
    actions: () => page.controls.actions(),
  };
}

/** The filter of the events in their address; null on other tabs. */
const filterOf = (tab, query) => (tab === "events" ? query.get("filter") ?? "" : null);

class RunPage {
  #drawing = 0;
  #drawn = null;
  #adopted = false;   // a complete snapshot has arrived since the last drawing

  constructor(runId, { inboxChanged, reload, targetApproval }) {
    Object.assign(this, { runId, inboxChanged, targetApproval });
    this.watch = new RunWatch(runId, {
      event: (frame) => { this.log.add(frame); this.timeline.add(frame); },
      change: (snapshot, frame) => this.#changed(snapshot, frame), state: (state) => this.link.set(state),
    });
    this.sign = statusSign("queued", { large: true });
    this.link = new LinkState();
    this.heading = h("h1", {}, "Run");
    this.pipeline = h("a", {});
    this.left = span("status-left");
    this.time = span("run-clock");
    this.since = span("run-since");
    this.tabs = new RunTabs(runId);
    this.outcome = new Outcome(runId);
    this.steps = new StepList();
    this.children = new ChildRunList();
    this.parent = new ParentLink();
    this.lineage = new Lineage();
    this.temporal = h("span", { hidden: true });
    this.condition = new ConditionNotice();
    this.waits = new WaitNotice();
    this.timeline = new Timeline();
    this.approvals = new ApprovalPanels(runId, { decided: () => { this.watch.refresh().catch(() => {}); this.inboxChanged(); } });
    this.rounds = new RoundChanges();
    this.liveText = new LiveText();
    this.files = new ArtifactList(runId);
    this.view = new PipelineView(runId, { inboxChanged });
    this.months = new ImportMonths(runId);
    this.data = new DataTab(runId);
    this.log = new EventLog(runId, {
      filtered: (filter) => { replaceQuery({ filter }); this.tabs.filterEvents(filter); },
    });
    this.controls = new RunControls(runId, {
      done: () => this.watch.refresh().catch(() => {}),
      retried: reload,
    });
    this.continuation = new Continuation(runId, reload);
    this.element = this.#layout();
  }

  get title() { return this.heading.textContent; }

  /** Reads the first snapshot from the API, so that an unknown run is a 404. */
  async open(tab, filter) {
    await this.watch.refresh();
    this.select(tab, filter);
    this.#draw();
    this.watch.open();
  }

  close() {
    this.watch.close();
    this.continuation.close();
    this.view.close();
    this.approvals.close();
    this.liveText.close();
    this.timeline.close();
    this.controls.close();
    cancelAnimationFrame(this.#drawing);
    clearTimeout(this.claimTimer);
  }

  /** Parts that measure themselves draw once they are in the document. */
  entered() {
    if (this.tab === "timeline") this.timeline.draw();
    if (this.tab === "result") this.data.load();
  }

  /** filter: of the events, as the address has it; null leaves it as it is. */
  select(tab, filter = null) {
    if (filter !== null) {
      this.log.narrow(filter);
      this.tabs.filterEvents(filter);
    }
    this.tab = tab;
    this.element.dataset.tab = tab;
    this.tabs.select(tab);
    this.entered();
  }

  #layout() {
    const crumbs = h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Runs"), h("span", { "aria-hidden": "true" }, "/"),
      this.pipeline, h("span", { "aria-hidden": "true" }, "/"), h("code", {}, this.runId), iconButton("Copy run id", "copy", () => copyText(this.runId, "Run id")));
    const overview = div("in-overview run-main", this.liveText.element, this.view.element, this.outcome.result, this.children.element, this.months.element);
    this.noDecisions = h("p", { class: "nothing in-decisions" }, "This run has not requested a decision yet.");
    this.noFiles = h("p", { class: "nothing in-files" }, "This run has no files yet.");
    const events = h("section", { class: "panel in-events", "aria-labelledby": "log-title" },
      h("h2", { id: "log-title" }, "Events", this.log.count), this.log.element);
    return div("page run-page",
      div("run-head",
        div("run-head-main", crumbs, this.heading, div("run-facts", this.sign.element, this.left, this.time, this.since, this.parent.element, this.lineage.element, this.temporal, this.link.element)),
        this.controls.element),
      this.tabs.element,
      div("run-body",
        div("run-main", this.condition.element, this.waits.element, this.outcome.failure, this.rounds.element, this.approvals.element, this.noDecisions, overview, this.timeline.element, events,
          div("in-files", this.files.element), this.noFiles, this.data.element),
        h("aside", { class: "run-side" }, h("section", { class: "panel", "aria-labelledby": "steps-title" },
          h("h2", { id: "steps-title" }, "Steps"), this.steps.element))));
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
    this.#head(snapshot);
    this.steps.update(snapshot);
    this.children.update(snapshot);
    this.parent.update(snapshot);
    this.lineage.update(snapshot);
    this.condition.update(snapshot);
    this.waits.update(snapshot);
    this.timeline.update(snapshot);
    this.approvals.update(snapshot);
    this.rounds.update(snapshot);
    this.liveText.update(snapshot);
    this.view.update(snapshot);
    this.files.update(this.view.filesOf(snapshot));
    this.months.update(snapshot);
    this.controls.update(snapshot);
    this.continuation.update(snapshot);
    this.outcome.update(snapshot);
    this.data.update(snapshot);
    this.#counts(snapshot);
    if (this.#adopted) this.log.backfill(snapshot);
    this.#adopted = false;
    this.#scrollToApproval();
  }

  #head(snapshot) {
    const { status, text, until } = runState(snapshot);
    const pipeline = snapshot.title || humane(snapshot.pipeline) || "Run";
    setText(this.heading, snapshot.subject || pipeline);
    setText(this.pipeline, pipeline);
    this.pipeline.setAttribute("href", snapshot.pipeline ? `#/?q=${encodeURIComponent(`pipeline:${snapshot.pipeline}`)}` : "#/");
    this.sign.set(status, text);
    this.#timeLeft(until);
    this.#linkToTemporal(snapshot);
    clearTimeout(this.claimTimer);
    const left = claimLeft(snapshot);
    if (left) this.claimTimer = setTimeout(() => this.#head(this.watch.snapshot), left);
    setTitle(`${status === "attention" ? "● " : ""}${this.title}`);
    this.#clock(snapshot);
  }

  #linkToTemporal(snapshot) {
    const link = this.temporal.hidden && snapshot.pipeline ? temporalLink(this.runId, snapshot) : null;
    if (!link) return;
    this.temporal.append(link);
    this.temporal.hidden = false;
  }

  #counts(snapshot) {
    this.tabs.count("files", snapshot.artifacts.length);
    this.tabs.count("decisions", snapshot.approvals.length);
    this.noDecisions.hidden = snapshot.approvals.length > 0;
    this.noFiles.hidden = snapshot.artifacts.length > 0;
  }

  #timeLeft(until) {
    if (this.until === until) return;
    this.until = until;
    replace(this.left, until ? [span("visually-hidden", `until ${full(until)}`), leftTime(until)] : []);
  }

  #clock(snapshot) {
    if (!snapshot.started_at) { setText(this.time, ""); return; }
    setText(this.since, [`started ${full(snapshot.started_at)}`, snapshot.started_by && `by ${snapshot.started_by}`].filter(Boolean).join(" "));
    if (hasEnded(snapshot)) {
      delete this.time.dataset.since;
      setText(this.time, elapsed(snapshot.started_at, snapshot.ended_at));
    } else {
      this.time.dataset.since = snapshot.started_at;
      setText(this.time, running(snapshot.started_at));
    }
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
}
