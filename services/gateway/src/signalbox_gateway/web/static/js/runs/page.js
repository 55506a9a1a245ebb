// The runs as the server lists them, newest first, kept current by the tenant's stream.
import { api } from "../data/api.js";
import { RunFeed } from "../data/run-feed.js";
import { may } from "../data/session.js";
import { problemNotice } from "../ui/announce.js";
import { copyText } from "../ui/clipboard.js";
import { div, h, replace, setText } from "../ui/dom.js";
import { plural } from "../ui/format.js";
import { listenForKeys } from "../ui/keys.js";
import { LinkState } from "../ui/link-state.js";
import { openPage } from "../ui/open-page.js";
import { replaceQuery } from "../ui/place.js";
import { VirtualRows } from "../ui/virtual-rows.js";
import { BulkBar } from "./bulk.js";
import { RunListing } from "./listing.js";
import { OlderRuns } from "./older-runs.js";
import { OpenRuns, withWaits } from "./open-runs.js";
import { isNarrowed, parseQuery } from "./query.js";
import { RunRow, progressOf } from "./run-row.js";
import { SavedViews } from "./saved-views.js";
import { SearchField } from "./search-field.js";
import { statusFilters } from "./status-filters.js";

const SOON_MS = 400;
const EVERY_MS = 15_000;
const NARROW = matchMedia("(max-width: 56rem)");
const COLUMNS = ["State", "Run", "Pipeline", "Steps", "Started by", "Duration", "Started"];

export async function runsPage({ query }) {
  const page = new RunsPage(textOf(query));
  await openPage(page);
  return {
    title: "Runs", element: page.element, close: () => page.close(), entered: () => page.rows.draw(),
    navigate: ({ query: next }) => page.search(textOf(next)),
  };
}

/** `?status=failed` is the older form of `?q=status:failed`. */
const textOf = (query) => query.get("q") ?? (query.get("status") ? `status:${query.get("status")}` : "");

class RunsPage {
  #timer = 0;
  #dueAt = Infinity;
  #isLoading = false;
  #drawing = 0;
  #stop = new AbortController();
  #feed = null;
  #open = new OpenRuns();
  #picked = new Set();
  #last = null;   // the row that was picked last, for a range

  constructor(text) {
    this.list = h("ol", { class: "runs", "aria-label": "Runs" });
    this.rows = new VirtualRows({
      element: this.list, rowPx: () => (NARROW.matches ? 60 : 36), keyOf: (run) => run.run_id, create: (run) => this.#row(run),
    });
    this.empty = h("div", { class: "empty", hidden: true });
    this.problem = h("div", {});
    this.link = new LinkState();
    this.pill = h("button", { type: "button", class: "button pill", hidden: true, onclick: () => this.#showNew() });
    this.older = new OlderRuns({
      load: () => this.#loadOlder(), isAutomatic: () => !isNarrowed(this.query), failed: (problem) => this.#failed(problem),
    });
    this.count = h("span", { class: "list-count", role: "status" });
    this.field = new SearchField({ known: () => this.#known(), changed: (next) => this.#typed(next) });
    this.filters = h("nav", { class: "filters", "aria-label": "Filter by status" });
    this.views = new SavedViews();
    this.bulk = new BulkBar({ cleared: () => this.#pickNone(), changed: () => this.#schedule(SOON_MS) });
    this.element = this.#layout();
    this.#use(text);
  }

  #layout() {
    this.all = h("input", { type: "checkbox", "aria-label": "Select all runs that are shown", onchange: (event) => this.#pickAll(event.target.checked) });
    const head = h("div", { class: "runs-head" }, h("label", { class: "pick" }, this.all),
      COLUMNS.map((name, index) => h("span", { class: index > 4 ? "end" : null, "aria-hidden": "true" }, name)));
    this.table = div("runs-table", head, this.list);
    return div("page runs-page",
      div("page-head", h("h1", {}, "Runs"), this.link.element,
        may("operator") ? h("a", { class: "button primary", href: "#/pipelines" }, "Start a run") : null),
      div("search-bar", this.field.element, this.count), div("search-bar", this.filters, this.views.element, h("div", { role: "status" }, this.pill)),
      this.problem, this.empty, this.table, this.older.element, this.bulk.element);
  }

  /** Shows the search text in the field and in the filters, and begins a listing for it. */
  #use(text) {
    Object.assign(this, { text, query: parseQuery(text) });
    this.listing = new RunListing(this.query, (query) => this.#read(query));
    for (const [runId, wait] of this.#open.waits()) this.listing.report(runId, wait);
    this.field.text = text;
    this.views.update(text);
    replace(this.filters, statusFilters(text, this.query));
  }

  async open() {
    const [{ pipelines }] = await Promise.all([api.pipelines(), this.#load(this.listing)]);
    this.pipelines = new Map(pipelines.map((pipeline) => [pipeline.name, pipeline]));
    this.#draw();
    this.#schedule(EVERY_MS);
    this.older.open();
    this.#feed = new RunFeed({
      started: (run) => { this.listing.started(run); this.#drawSoon(); this.#schedule(SOON_MS); },
      reported: (runId, state) => { this.listing.report(runId, state); this.#drawSoon(); this.#schedule(SOON_MS); },
      progress: (snapshot) => this.#progressed(snapshot),
      changed: () => this.#schedule(SOON_MS),
      state: (state) => this.link.set(state),
    });
    this.stopKeys = listenForKeys({
      "/": () => this.field.input.focus(), j: () => this.#move(1), k: () => this.#move(-1), x: () => this.#pickFocused(),
      c: () => this.#copyFocused(),
    });
  }

  close() {
    this.#stop.abort();
    this.older.close();
    this.field.close();
    this.#feed?.close();
    this.stopKeys?.();
    this.rows.close();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#drawing);
  }

  /** Shows the runs of another search text. */
  async search(text) {
    this.#pickNone();
    this.#use(text);
    const { listing } = this;
    this.table.setAttribute("aria-busy", "true");
    try {
      replace(this.problem);
      await this.#load(listing);
      if (listing === this.listing) this.#draw();
    } catch (problem) {
      if (listing === this.listing && problem.name !== "AbortError") replace(this.problem, problemNotice(problem));
    } finally { this.table.removeAttribute("aria-busy"); }
  }

  /** A search that the server refuses is explained above an empty list. */
  async #load(listing) {
    try {
      await listing.load();
    } catch (problem) {
      if (problem.status !== 422) throw problem;
      if (listing === this.listing) replace(this.problem, problemNotice({ message: problem.message }));
    }
  }

  #typed(text) {
    if (text === this.text) return;
    replaceQuery({ q: text });
    this.search(text);
  }

  #known() {
    const by = new Set(this.rows.items.map((run) => run.started_by).filter(Boolean));
    const tag = new Set(this.rows.items.flatMap((run) => run.tags ?? []));
    const pipelines = [...(this.pipelines?.values() ?? [])];
    const find = [...new Set(pipelines.flatMap((pipeline) => pipeline.find ?? []))].sort();
    return {
      pipeline: pipelines.map(({ name, title }) => [name, title]), by: [...by].map((name) => [name]), tag: [...tag].map((name) => [name]), find,
    };
  }

  /** One page of the server's list; the inbox shows which runs wait for a person. */
  async #read(query) {
    const options = { signal: this.#stop.signal };
    const [answer, inbox] = await Promise.all([api.runs(query, options), api.approvals({}, options)]);
    return { ...answer, runs: withWaits(answer.runs, inbox.approvals) };
  }

  #progressed(snapshot) {
    const wait = this.#open.take(snapshot);
    if (wait) this.listing.report(snapshot.run_id, wait);
    this.#drawSoon();
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
    const { listing } = this;
    try {
      if (!document.hidden) await listing.reload();
      this.#draw();
      if (listing === this.listing) replace(this.problem);
    } catch (problem) {
      if (listing === this.listing && !this.problem.hasChildNodes()) this.#failed(problem);
    } finally { this.#isLoading = false; }
    this.#schedule(EVERY_MS);
  }

  async #loadOlder() {
    const { listing } = this;
    await listing.loadMore();
    if (listing === this.listing) this.#draw();
  }

  #failed(problem) {
    if (problem.name !== "AbortError" && problem.status !== 401) replace(this.problem, problemNotice(problem));
  }

  #showNew() {
    this.listing.showNew(); this.#draw();
    if (this.rows.items.length) this.rows.reveal(0).querySelector("a").focus();
  }

  /** Coalesces the events of one animation frame to one drawing. */
  #drawSoon() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const runs = this.listing.shown();
    this.rows.show(runs);
    const count = this.listing.newCount();
    this.pill.hidden = count === 0;
    setText(this.pill, plural(count, "new run"));
    this.older.update(this.listing.hasMore);
    setText(this.count, this.#countText(runs.length));
    this.table.hidden = runs.length === 0;
    this.empty.hidden = runs.length > 0;
    if (runs.length === 0) replace(this.empty, this.#emptyText());
    this.bulk.show(runs.filter((run) => this.#picked.has(run.run_id)));
    this.all.checked = runs.length > 0 && this.#picked.size === runs.length;
  }

  #countText(shown) {
    if (!this.listing.hasMore) return plural(shown, "run");
    return isNarrowed(this.query) ? `${plural(shown, "match", "matches")} in the last ${this.listing.readCount} runs` : `${shown}+ runs`;
  }

  #emptyText() {
    if (this.listing.hasMore) return h("p", {}, `No matches in the last ${this.listing.readCount} runs.`);
    if (this.text) return [h("p", {}, "No runs match."), h("a", { class: "button", href: "#/" }, "Show all runs")];
    const start = may("operator") ? h("a", { class: "button primary", href: "#/pipelines" }, "Start the first run") : null;
    return [h("h2", {}, "No runs yet"), h("p", {}, "A run appears here as soon as it is started."), start];
  }

  #row(run) {
    const pipeline = this.pipelines.get(run.pipeline);
    const row = new RunRow(run, pipeline?.title, { picked: (isPicked) => this.#pick(run.run_id, isPicked) });
    row.box.addEventListener("click", (event) => { this.isRange = event.shiftKey; });
    const update = (next) => {
      const steps = progressOf(next, this.#open.progressOf(next.run_id), pipeline?.steps.length);
      row.update(next, steps, this.#picked.has(next.run_id));
    };
    return { element: row.element, update };
  }

  /** With Shift, also the rows between this one and the one before. */
  #pick(runId, isPicked) {
    const ids = this.rows.items.map((run) => run.run_id);
    const [from, to] = [ids.indexOf(runId), ids.indexOf(this.#last)].sort((one, other) => one - other);
    const range = this.isRange && from >= 0 ? ids.slice(from, to + 1) : [runId];
    for (const id of range) if (isPicked) this.#picked.add(id); else this.#picked.delete(id);
    this.#last = runId;
    this.#draw();
  }

  #pickAll(isPicked) {
    this.#picked = new Set(isPicked ? this.rows.items.map((run) => run.run_id) : []);
    this.#draw();
  }

  #pickNone() { this.#pickAll(false); }

  #focused() { return document.activeElement.closest?.(".run-line")?.dataset.run ?? null; }

  #pickFocused() {
    const runId = this.#focused();
    if (!runId) return false;
    this.isRange = false;
    this.#pick(runId, !this.#picked.has(runId));
    return true;
  }

  #copyFocused() {
    const runId = this.#focused();
    if (runId) copyText(runId, "Run id");
    return Boolean(runId);
  }

  /** Moves the focus to the next or the previous row. */
  #move(by) {
    const at = this.rows.items.findIndex((run) => run.run_id === this.#focused());
    const next = at < 0 ? 0 : at + by;
    if (this.rows.items[next]) this.rows.reveal(next).querySelector("a").focus({ preventScroll: true });
  }
}
