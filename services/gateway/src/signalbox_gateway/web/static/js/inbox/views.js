// The views of the inbox: which questions each lists, in what order, and its text when there are none.
import { api } from "../data/api.js";
import { MAX_PAGES, pagesOf } from "../data/inbox-watch.js";
import { may } from "../data/session.js";
import { h } from "../ui/dom.js";

const DECIDED = 100;
const TITLES = { mine: "Mine", all: "All", decided: "Decided" };
export const LABELS = { mine: "Questions for you", all: "Pending questions", decided: "Decided questions" };

/** The view that an address names; `all` without one. */
export const viewOf = (query) => (Object.hasOwn(TITLES, query.get("view") ?? "") ? query.get("view") : "all");

const queryOf = (view) => (view === "all" ? "" : `?view=${view}`);

export const addressOfView = (view) => `#/inbox${queryOf(view)}`;

export const addressOfQuestion = ({ run_id: run, approval_id: approval }, view) =>
  `#/inbox/${encodeURIComponent(run)}/${encodeURIComponent(approval)}${queryOf(view)}`;

/** {approvals, total} of a view; `total` is null if there are more than were read. The pending questions of all are those of `inbox`, which other pages share. */
export async function readView(view, inbox) {
  if (view === "decided") return api.decidedApprovals(DECIDED);
  if (view === "all") {
    await inbox.load();
    return { approvals: inbox.approvals, total: inbox.total };
  }
  const { approvals, next } = await pagesOf((cursor) => api.approvals({ mine: true, cursor }), null, MAX_PAGES);
  return { approvals, total: next ? null : approvals.length };
}

/** The nearest deadline first; decided questions as they are given, the newest first. */
export function inOrder(approvals, view) {
  if (view === "decided") return [...approvals];
  return [...approvals].sort((one, other) =>
    (one.deadline_at ?? "9").localeCompare(other.deadline_at ?? "9") || one.requested_at.localeCompare(other.requested_at));
}

/** The links to the views. `select(view)` marks the current one. */
export class ViewLinks {
  constructor() {
    this.links = Object.entries(TITLES).map(([view, title]) => h("a", { href: addressOfView(view), data: { view } }, title));
    this.element = h("nav", { class: "filters", "aria-label": "Views" }, this.links);
  }

  select(view) {
    for (const link of this.links) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}

/** What a view without questions shows. isWhole: whether all pending questions were read. */
export function emptyView(view, { isWhole }) {
  const [title, text] = {
    mine: may("approver") ? mineText(isWhole) : ["Nothing is waiting for you", "You need the role approver to decide."],
    all: ["Nothing to decide", "New questions appear here automatically."],
    decided: ["No decisions", "Recent decisions appear here, the newest first."],
  }[view];
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text));
}

const mineText = (isWhole) => (isWhole
  ? ["Nothing is waiting for you", "Questions that you may answer appear here automatically."]
  : ["None of the oldest questions waits for you", "There are more pending questions than this view reads; newer ones may be waiting for you."]);
