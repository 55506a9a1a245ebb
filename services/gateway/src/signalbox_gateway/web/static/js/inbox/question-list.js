// The list of pending questions, the nearest deadline first.
import { keyOf } from "../data/inbox-watch.js";
import { presenceList, presenceText } from "../data/presence.js";
import { hasDraft } from "../data/drafts.js";
import { h, replace, setText, span } from "../ui/dom.js";
import { full, humane } from "../ui/format.js";
import { statusDot } from "../ui/status.js";
import { shortAgo, shortLeft } from "../ui/ticker.js";

const SOON_MS = 600_000;

export const addressOfQuestion = ({ run_id: run, approval_id: approval }) =>
  `#/inbox/${encodeURIComponent(run)}/${encodeURIComponent(approval)}`;

export const inOrder = (approvals) => [...approvals].sort((one, other) =>
  (one.deadline_at ?? "9").localeCompare(other.deadline_at ?? "9") || one.requested_at.localeCompare(other.requested_at));

export class QuestionList {
  #rows = new Map();

  constructor() {
    this.element = h("ol", { class: "questions inbox", "aria-label": "Pending questions" });
  }

  show(approvals, chosen) {
    const kept = new Set(approvals.map(keyOf));
    for (const [key, row] of this.#rows) if (!kept.has(key)) { row.remove(); this.#rows.delete(key); }
    for (const [index, item] of approvals.entries()) {
      const key = keyOf(item);
      if (!this.#rows.has(key)) this.#rows.set(key, row(item));
      const element = this.#rows.get(key);
      if (this.element.children[index] !== element) this.element.insertBefore(element, this.element.children[index] ?? null);
      mark(element, item, key === chosen);
    }
  }
}

function mark(element, item, isChosen) {
  const link = element.firstElementChild;
  if (isChosen) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  replace(link.querySelector(".question-draft"), hasDraft(item.run_id, item.approval_id) ? "Draft" : null);
  setText(link.querySelector(".question-who"), presenceText(presenceList.others(item.run_id, item.approval_id)));
}

/** The title of the question, unless it stands in place of a subject; its pipeline and its run. */
function factsOf({ subject, title, pipeline, run_id: runId }) {
  return [subject ? title : null, humane(pipeline), runId].filter(Boolean).join(" · ");
}

function row(item) {
  const { deadline_at: deadline } = item;
  const left = deadline
    ? h("span", { class: "question-left", "data-soon": Date.parse(deadline) - Date.now() < SOON_MS },
      span("visually-hidden", `open until ${full(deadline)}`), shortLeft(deadline))
    : span("question-left");
  return h("li", {}, h("a", { class: "question", href: addressOfQuestion(item) },
    statusDot("attention"), span("question-title", item.subject ?? item.title), left,
    span("question-facts", h("span", {}, factsOf(item)), span("question-who"), span("question-draft"), shortAgo(item.requested_at))));
}
