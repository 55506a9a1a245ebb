// Who decided, intervened or changed something: the entries of the ledger, newest first.
import { addressOf, api } from "../data/api.js";
import { shortName } from "../data/fold.js";
import { may } from "../data/session.js";
import { gateway } from "../data/stream.js";
import { OlderRuns } from "../runs/older-runs.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { full, plural } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { openPage } from "../ui/open-page.js";
import { replaceQuery } from "../ui/place.js";
import { FILTERS, actionText, actorText, subjectsOf } from "./entries.js";

const PAGE = 50;
const TYPED_MS = 300;
const EVERY_MS = 15_000;
// The ledger has an event a second or two after the stream.
const SOON_MS = 2500;
const RECORDED = /^(?:approval\..+|run\.(?:paused|resumed|cancelled))$/;
const COLUMNS = ["Time", "Who", "Action", "Subject", "Receipt"];

export async function activityPage({ query }) {
  const page = new ActivityPage(filterOf(query));
  await openPage(page);
  return {
    title: "Activity", element: page.element, close: () => page.close(), navigate: ({ query: next }) => page.show(filterOf(next)),
  };
}

const filterOf = (query) => ({ action: query.get("action") ?? "", actor: query.get("actor") ?? "" });

class ActivityPage {
  #stop = new AbortController();
  #timer = 0;
  #dueAt = Infinity;
  #typed = 0;
  #watch = null;
  #entries = [];
  #cursor = null;
  #visit = 0;
  #isMissing = false;   // the deployment keeps no ledger

  constructor(filter) {
    this.filter = filter;
    this.action = h("select", { "aria-label": "Action", onchange: () => this.#choose() },
      h("option", { value: "" }, "All actions"), FILTERS.map(groupOf));
    this.actor = h("input", {
      type: "search", "aria-label": "Who", placeholder: "Name or subject", autocomplete: "off", spellcheck: "false", oninput: () => this.#typeActor(),
    });
    this.count = h("span", { class: "list-count", role: "status" });
    this.problem = h("div", {});
    this.empty = h("div", { class: "empty", hidden: true });
    this.list = h("ol", { class: "entries", "aria-label": "Activity" });
    this.table = div("activity", div("entries-head", COLUMNS.map((name) => h("span", { "aria-hidden": "true" }, name))), this.list);
    this.older = new OlderRuns({
      text: "Older entries", load: () => this.#loadOlder(), isAutomatic: () => !this.filter.actor, failed: (problem) => this.#failed(problem),
    });
    this.element = div("page",
      div("page-head", h("h1", {}, "Activity")),
      div("search-bar", this.action, div("token-search", icon("search"), this.actor), this.count),
      this.problem, this.empty, this.table, this.older.element);
    this.#showFilter();
  }

  async open() {
    await this.#load();
    this.older.open();
    this.#schedule(EVERY_MS);
    // Keys, tokens and schedules are not on the stream: their changes are found by the timer.
    this.#watch = gateway.watchAll({
      event: (event) => { if (RECORDED.test(shortName(event.type))) this.#schedule(SOON_MS); },
    });
  }

  close() {
    this.#stop.abort();
    this.#watch?.close();
    this.older.close();
    clearTimeout(this.#timer);
    clearTimeout(this.#typed);
  }

  /** Shows the entries of another filter. */
  async show(filter) {
    this.filter = filter;
    this.#showFilter();
    this.table.setAttribute("aria-busy", "true");
    const visit = ++this.#visit;
    try {
      await this.#load();
    } catch (problem) { this.#failed(problem); }
    if (visit === this.#visit) this.table.removeAttribute("aria-busy");
  }

  #showFilter() {
    this.action.value = this.filter.action;
    // A space that was typed last is not part of the filter, and stays: a word may follow.
    if (!this.#typed && this.actor.value.trim() !== this.filter.actor.trim()) this.actor.value = this.filter.actor;
  }

  #choose() { this.#use({ action: this.action.value, actor: this.actor.value.trim() }); }

  #typeActor() {
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => { this.#typed = 0; this.#choose(); }, TYPED_MS);
  }

  #use(filter) {
    if (filter.action === this.filter.action && filter.actor === this.filter.actor) return;
    replaceQuery(filter);
    this.show(filter);
  }

  async #read(more = {}) {
    const given = Object.entries({ ...this.filter, limit: PAGE, ...more }).filter(([, value]) => value !== "" && value !== null);
    return api.activity(Object.fromEntries(given), { signal: this.#stop.signal });
  }

  async #load() {
    const { filter } = this;
    const { entries, next_cursor: cursor, isMissing = false } = await this.#read().catch((problem) => {
      if (problem.code === "no_ledger") return { entries: [], next_cursor: null, isMissing: true };
      throw problem;
    });
    if (filter !== this.filter) return;
    this.#isMissing = isMissing;
    this.#entries = entries;
    this.#cursor = cursor;
    replace(this.problem);
    replace(this.list, entries.map(rowOf));
    this.#draw();
  }

  async #loadOlder() {
    const { filter } = this;
    const { entries, next_cursor: cursor } = await this.#read({ cursor: this.#cursor });
    if (filter !== this.filter) return;
    this.#entries.push(...entries);
    this.#cursor = cursor;
    this.list.append(...entries.map(rowOf));
    this.#draw();
  }

  /** Puts newer entries above the others, which stay as they are, and with them the focus. */
  async #loadNewer() {
    const { filter } = this;
    const newest = this.#entries[0]?.index;
    if (newest === undefined) { await this.#load(); return; }
    const { entries, next_cursor: cursor } = await this.#read({ after: newest });
    if (filter !== this.filter || !entries.length) return;
    if (cursor !== null) { await this.#load(); return; }   // more than a page of them
    this.#entries.unshift(...entries);
    this.list.prepend(...entries.map(rowOf));
    this.#draw();
  }

  /** Reads newer entries after `delay` ms, or sooner if that is due sooner. */
  #schedule(delay) {
    if (this.#stop.signal.aborted || Date.now() + delay >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = Date.now() + delay;
    this.#timer = setTimeout(async () => {
      this.#dueAt = Infinity;
      try {
        if (!document.hidden) await this.#loadNewer();
      } catch (problem) {
        if (!this.problem.hasChildNodes()) this.#failed(problem);
      }
      this.#schedule(EVERY_MS);
    }, delay);
  }

  #failed(problem) {
    if (problem.name !== "AbortError" && problem.status !== 401) replace(this.problem, problemNotice(problem));
  }

  #draw() {
    const count = this.#entries.length;
    const hasMore = this.#cursor !== null;
    this.older.update(hasMore);
    this.table.hidden = count === 0;
    this.empty.hidden = count > 0;
    setText(this.count, `${plural(count, "entry", "entries")}${hasMore ? " so far" : ""}`);
    if (count === 0) replace(this.empty, this.#emptyText(hasMore));
  }

  #emptyText(hasMore) {
    if (this.#isMissing) return h("p", {}, "This deployment keeps no ledger, so there is no activity to show. Its operator can switch the ledger on.");
    if (!this.filter.action && !this.filter.actor) {
      return [h("h2", {}, "No activity yet"), h("p", {}, "Decisions, interventions in runs and changes of settings appear here.")];
    }
    const text = hasMore ? "No matches in the newest entries." : "No entries match.";
    return [h("p", {}, text), h("a", { class: "button", href: "#/activity" }, "Show all activity")];
  }
}

function groupOf({ group, filters }) {
  const shown = filters.filter(({ role }) => !role || may(role));
  return h("optgroup", { label: group }, shown.map(({ value, text }) => h("option", { value }, text)));
}

function rowOf(entry) {
  const who = actorText(entry);
  const subjects = subjectsOf(entry).map(({ text, href }) => (href ? h("a", { href }, text) : h("code", {}, text)));
  const action = actionText(entry);
  return h("li", { class: "entry", data: { action: entry.action } },
    h("time", { class: "entry-time", datetime: entry.at }, full(entry.at)),
    h("span", { class: "entry-who", title: who.title }, who.text),
    h("span", { class: "entry-action", title: entry.action }, action),
    h("span", { class: "entry-subject" }, subjects.flatMap((part, index) => (index ? [" of ", part] : [part])),
      entry.reason ? span("entry-reason", `“${entry.reason}”`) : null),
    h("span", { class: "entry-receipt" }, entry.receipt ? receiptLink(entry) : null));
}

function receiptLink({ receipt, approval_id: approvalId, run_id: runId }) {
  return h("a", { href: addressOf(receipt), download: "", "aria-label": `Receipt of ${approvalId} of ${runId}` }, "Receipt");
}
