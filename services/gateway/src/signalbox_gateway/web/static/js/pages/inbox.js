// The inbox: all pending approvals, nearest deadline first.
import { api } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, span } from "../dom.js";
import { full, humane } from "../format.js";
import { lamp } from "../parts/lamp.js";
import { agoTime } from "../ticker.js";

const EVERY_MS = 5000;

export async function inboxPage({ inboxChanged }) {
  const list = h("ol", { class: "runs inbox" });
  const empty = h("p", { class: "empty" }, "No approvals are pending. New ones appear here automatically.");
  const problem = h("div", {});
  let shown = "";

  async function load() {
    const answer = await api.approvals();
    const items = answer.approvals;
    const text = JSON.stringify(items);
    if (text === shown) return;
    shown = text;
    empty.hidden = items.length > 0;
    replace(list, [...items].sort(byDeadline).map(row));
    inboxChanged();
  }

  await load();
  const refresh = async () => {
    try {
      await load();
      replace(problem);
    } catch (error) {
      if (error.status !== 401 && !problem.hasChildNodes()) replace(problem, problemNotice(error));
    }
  };
  const timer = setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
  const element = div("page", div("page-head", h("h1", {}, "Approvals")), problem, empty, list);
  return { title: "Approvals", element, close: () => clearInterval(timer) };
}

const byDeadline = (one, other) => (one.deadline_at ?? "9").localeCompare(other.deadline_at ?? "9");

function row(item) {
  const place = `#/runs/${encodeURIComponent(item.run_id)}?approval=${encodeURIComponent(item.approval_id)}`;
  return h("li", {}, h("a", { class: "run-row", href: place },
    span("status", lamp("attention"), span("status-word", "Needs you")),
    span("run-names", span("run-title", item.title), span("run-id", item.run_id)),
    span("run-by", humane(item.pipeline)),
    span("run-time", item.deadline_at ? `until ${full(item.deadline_at)}` : ""),
    agoTime(item.requested_at, "run-ago")));
}
