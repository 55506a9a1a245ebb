// The heading of an approval: its title, its state, and until when it is open or who decided it.
import { div, h } from "../ui/dom.js";
import { full } from "../ui/format.js";
import { agoTime } from "../ui/ticker.js";
import { decidedSummary } from "./decided.js";
import { statusSign } from "../ui/status.js";
import { votesView } from "./votes.js";

export function heading(approval, id) {
  const facts = [];
  if (approval.status === "pending" && approval.deadline_at) {
    facts.push("Open until ", h("time", { datetime: approval.deadline_at }, full(approval.deadline_at)));
  } else if (approval.decided_at) {
    const what = decidedSummary(approval);
    facts.push(what ? `${what} · ` : "", `${approval.decided_by}, `, agoTime(approval.decided_at));
  }
  const status = approval.status === "pending" ? "attention" : approval.status;
  return div("approval-head", h("h2", { id }, approval.title), approval.about ? h("p", { class: "approval-about" }, approval.about) : null,
    h("p", { class: "approval-facts" }, statusSign(status).element, facts.length ? h("span", {}, facts) : null),
    votesView(approval));
}
