// The runs as the server lists them, newest first, kept current by the tenant's stream.
import { api } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, setText } from "../dom.js";
import { plural } from "../format.js";
import { statusWord } from "../parts/lamp.js";
import { LinkState } from "../parts/link-state.js";
import { RunFeed } from "../parts/run-feed.js";
import { RunRow } from "../parts/run-row.js";
import { may } from "../session.js";
import { RunListing } from "../run-listing.js";

const SOON_MS = 400;
const EVERY_MS = 15_000;
const STATUSES = ["running", "completed", "failed", "cancelled"];

export async function runsPage({ query }) {
  const page = new RunsPage(query.get("status") ?? "");
  await page.open();
  return { title: "Runs", element: page.element, close: () => page.close() };
}

class RunsPage {
  #rows = new Map();
  #timer = 0;
  #dueAt = Infinity;
  #isLoading = false;
  #drawing = 0;
  #stop = new AbortController();
  #feed = null;

  constructor(status) {
    this.status = status;
    this.listing = new RunListing(status, (query) => this.#read(query));
    this.list = h("ol", { class: "runs" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.problem = h("div", {});
    this.link = new LinkState();
    this.pill = h("button", { type: "button", class: "button pill", hidden: true, onclick: () => this.#showNew() });
    this.more = h("button", { type: "button", class: "button", hidden: true, onclick: () => this.#loadMore() }, "Older runs");
    this.element = div("page",
      div("page-head", h("h1", {}, "Runs"), this.link.element,
        may("operator") ? h("a", { class: "button primary", href: "#/start" }, "Start a run") : null),
      div("list-head", filters(status), h("div", { role: "status" }, this.pill)), this.problem, this.empty, this.list, this.more);
  }

  async open() {
    const [{ pipelines }] = await Promise.all([api.pipelines(), this.listing.load()]);
    this.titles = new Map(pipelines.map((pipeline) => [pipeline.name, pipeline.title]));
    this.#draw();
    this.#schedule(EVERY_MS);
    this.#feed = new RunFeed({
      started: (run) => { this.listing.started(run); this.#drawSoon(); this.#schedule(SOON_MS); },
      reported: (runId, state) => { this.listing.report(runId, state); this.#drawSoon(); this.#schedule(SOON_MS); },
      changed: () => this.#schedule(SOON_MS),
      state: (state) => this.link.set(state),
    });
  }

  close() {
    this.#stop.abort();
    this.#feed?.close();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#drawing);
  }

  /** One page of the server's list; the inbox shows which runs wait for a person. */
  async #read(query) {
    const options = { signal: this.#stop.signal };
    const [answer, inbox] = await Promise.all([api.runs(query, options), api.approvals(options)]);
    const waiting = new Set(inbox.approvals.map((item) => item.run_id));
    return { ...answer, runs: answer.runs.map((run) => ({ ...run, waiting: waiting.has(run.run_id) })) };
  }

  /** Reloads after `delay` ms, or sooner if a reload is due sooner. */
  #schedule(delay) {
    if (this.#stop.signal.aborted || Date.now() + delay >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.#reload(), delay);
  }

  async #reload() {
    this.#dueAt = Infinity;
    if (this.#isLoading) { this.#schedule(SOON_MS); return; }
    this.#isLoading = true;
    try {
      if (!document.hidden) await this.listing.reload();
      this.#draw();
      replace(this.problem);
    } catch (problem) {
      if (problem.name === "AbortError" || problem.status === 401) return;
      if (!this.problem.hasChildNodes()) replace(this.problem, problemNotice(problem));
    } finally { this.#isLoading = false; }
    this.#schedule(EVERY_MS);
  }

  async #loadMore() {
    try {
      await this.listing.loadMore();
      this.#draw();
    } catch (problem) { replace(this.problem, problemNotice(problem)); }
  }

  #showNew() {
    this.listing.showNew();
    this.#draw();
    this.list.querySelector("a")?.focus();
  }

  /** Coalesces the events of one animation frame to one drawing. */
  #drawSoon() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  /** Makes the rows equal to the listing, in its order; moves only rows that are out of place, so that the focus stays. */
  #draw() {
    const runs = this.listing.shown();
    const ids = new Set(runs.map((run) => run.run_id));
    for (const [id, row] of this.#rows) if (!ids.has(id)) { row.element.remove(); this.#rows.delete(id); }
    for (const [place, run] of runs.entries()) {
      const row = this.#row(run);
      row.update(run);
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null);
    }
    const count = this.listing.newCount();
    this.pill.hidden = count === 0;
    setText(this.pill, plural(count, "new run"));
    this.more.hidden = !this.listing.hasMore;
    this.empty.hidden = runs.length > 0;
    if (runs.length === 0) replace(this.empty, emptyText(this.status));
  }

  #row(run) {
    if (!this.#rows.has(run.run_id)) this.#rows.set(run.run_id, new RunRow(run, this.titles.get(run.pipeline)));
    return this.#rows.get(run.run_id);
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
