// All runs, newest first; open runs are refreshed.
import { api } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, setText, span } from "../dom.js";
import { elapsed } from "../format.js";
import { statusSign, statusWord } from "../parts/lamp.js";
import { may } from "../session.js";
import { agoTime, running } from "../ticker.js";

const EVERY_MS = 4000;
const STATUSES = ["running", "completed", "failed", "cancelled"];

export async function runsPage({ query }) {
  const status = query.get("status") ?? "";
  const page = new RunsPage(status);
  await page.load();
  return { title: "Runs", element: page.element, close: () => page.close() };
}

class RunsPage {
  #rows = new Map();
  #next = null;
  #timer = 0;
  #stop = new AbortController();

  constructor(status) {
    this.status = status;
    this.list = h("ol", { class: "runs" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.problem = h("div", {});
    this.more = h("button", { type: "button", class: "button", hidden: true, onclick: () => this.#loadMore() }, "Older runs");
    this.element = div("page",
      div("page-head", h("h1", {}, "Runs"), may("operator") ? h("a", { class: "button primary", href: "#/start" }, "Start a run") : null),
      filters(status), this.problem, this.empty, this.list, this.more);
  }

  async load() {
    const [answer, { pipelines }] = await Promise.all([this.#fetch(), api.pipelines()]);
    this.titles = new Map(pipelines.map((pipeline) => [pipeline.name, pipeline.title]));
    this.#next = answer.next_cursor ?? null;
    this.#show(answer.runs);
    this.#scheduleRefresh();
  }

  close() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** The newest runs; the inbox shows which of them wait for a person. */
  async #fetch() {
    const options = { signal: this.#stop.signal };
    const [answer, inbox] = await Promise.all([api.runs(this.#query(), options), api.approvals(options)]);
    const waiting = new Set(inbox.approvals.map((item) => item.run_id));
    return { ...answer, runs: answer.runs.map((run) => ({ ...run, waiting: waiting.has(run.run_id) })) };
  }

  #query() {
    return { limit: "50", ...(this.status ? { status: this.status } : {}) };
  }

  #scheduleRefresh() {
    this.#timer = setTimeout(() => this.#refresh(), EVERY_MS);
  }

  async #refresh() {
    try {
      if (!document.hidden) this.#show((await this.#fetch()).runs);
      replace(this.problem);
    } catch (problem) {
      if (problem.name === "AbortError" || problem.status === 401) return;
      if (!this.problem.hasChildNodes()) replace(this.problem, problemNotice(problem));
    }
    this.#scheduleRefresh();
  }

  async #loadMore() {
    try {
      const answer = await api.runs({ ...this.#query(), cursor: this.#next }, { signal: this.#stop.signal });
      this.#next = answer.next_cursor ?? null;
      for (const run of answer.runs) this.list.append(this.#row(run).element);
      this.more.hidden = !this.#next;
    } catch (problem) { replace(this.problem, problemNotice(problem)); }
  }

  #show(runs) {
    const fresh = runs.filter((run) => !this.#rows.has(run.run_id));
    for (const run of runs) this.#row(run).update(run);
    for (const run of [...fresh].reverse()) this.list.prepend(this.#rows.get(run.run_id).element);
    this.more.hidden = !this.#next;
    this.empty.hidden = this.#rows.size > 0;
    if (this.#rows.size === 0) replace(this.empty, emptyText(this.status));
  }

  #row(run) {
    if (!this.#rows.has(run.run_id)) this.#rows.set(run.run_id, new RunRow(run, this.titles.get(run.pipeline)));
    return this.#rows.get(run.run_id);
  }
}

class RunRow {
  constructor(run, title) {
    this.sign = statusSign(run.status);
    this.time = span("run-time");
    this.element = h("li", {}, h("a", { class: "run-row", href: `#/runs/${encodeURIComponent(run.run_id)}` },
      this.sign.element,
      span("run-names", span("run-title", title ?? run.pipeline), span("run-id", run.run_id)),
      span("run-by", run.started_by ?? ""), this.time,
      run.started_at ? agoTime(run.started_at, "run-ago") : null));
    this.update(run);
  }

  update(run) {
    this.sign.set(run.waiting && run.status === "running" ? "attention" : run.status);
    const live = ["running", "paused", "queued"].includes(run.status) && run.started_at;
    if (live) this.time.dataset.since = run.started_at;
    else delete this.time.dataset.since;
    setText(this.time, live ? running(run.started_at) : elapsed(run.started_at, run.ended_at ?? run.started_at));
  }
}

function filters(current) {
  const link = (status, text) =>
    h("a", { href: status ? `#/?status=${status}` : "#/", "aria-current": status === current ? "true" : null }, text);
  const links = STATUSES.map((status) => link(status, statusWord(status)));
  return h("nav", { class: "filters", "aria-label": "Filter by status" }, link("", "All"), links);
}

function emptyText(status) {
  if (status) return h("p", {}, `There are no ${status} runs.`);
  const start = may("operator") ? h("p", {}, h("a", { class: "button", href: "#/start" }, "Start the first run")) : null;
  return [h("p", {}, "There are no runs yet."), start];
}
