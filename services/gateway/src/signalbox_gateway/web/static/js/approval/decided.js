// A decision: one line per variant, or the answer as data.
import { div, h, span } from "../ui/dom.js";
import { dataView } from "../ui/data-view.js";

const WORDS = { approve: "Approved", edit: "Edited", reject: "Rejected" };

/** "1 approved, 2 rejected", for the closed panel's heading. */
export function decidedSummary(approval) {
  const counts = new Map();
  for (const decision of approval.answer?.decisions ?? []) {
    const word = (WORDS[decision.action] ?? String(decision.action)).toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}

export function decidedView(approval) {
  const decisions = approval.answer?.decisions;
  const note = approval.note ? h("p", { class: "decided-note", dir: "auto" }, approval.note) : null;
  if (!Array.isArray(decisions)) return div("decided", approval.answer ? dataView(approval.answer) : null, note);
  const options = Array.isArray(approval.options) ? approval.options : [];
  return div("decided", h("ul", { class: "decisions" }, decisions.map((decision) => line(decision, options))), note);
}

function line(decision, options) {
  const option = options.find((item) => item?.variant === decision.variant);
  const edits = ["headline", "body", "cta"].filter((name) => decision[name]).map((name) => decision[name]);
  const detail = decision.action === "reject" ? decision.reason : edits.join(" · ") || option?.headline;
  return h("li", { class: "decision" },
    span("plate", decision.variant),
    h("span", { class: "tag", data: { action: decision.action } }, WORDS[decision.action] ?? decision.action),
    h("span", { class: "decision-text", dir: "auto" }, detail ?? ""));
}
