// The list of questions in the inbox.
import { addressOf } from "../data/api.js";
import { keyOf } from "../data/inbox-watch.js";
import { presenceList, presenceText } from "../data/presence.js";
import { hasDraft } from "../data/drafts.js";
import { session } from "../data/session.js";
import { awaitedName } from "../data/waiting-for.js";
import { h, pictureElement, replace, setText, span } from "../ui/dom.js";
import { full, humane } from "../ui/format.js";
import { statusDot } from "../ui/status.js";
import { shortAgo, shortLeft } from "../ui/ticker.js";
import { LABELS, addressOfQuestion } from "./views.js";

const SOON_MS = 600_000;

export class QuestionList {
  #rows = new Map();

  constructor() {
    this.element = h("ol", { class: "questions inbox" });
  }

  show(approvals, chosen, view) {
    this.#select(view);
    const kept = new Set(approvals.map(keyOf));
    for (const [key, row] of this.#rows) if (!kept.has(key)) { row.remove(); this.#rows.delete(key); }
    for (const [index, item] of approvals.entries()) {
      const key = keyOf(item);
      if (!this.#rows.has(key)) this.#rows.set(key, row(item, view));
      const element = this.#rows.get(key);
      if (this.element.children[index] !== element) this.element.insertBefore(element, this.element.children[index] ?? null);
      mark(element, item, key === chosen);
    }
  }

  /** The link of a row includes the view, so rows are built anew for another view. */
  #select(view) {
    if (this.view === view) return;
    this.view = view;
    this.#rows.clear();
    replace(this.element);
    this.element.setAttribute("aria-label", LABELS[view]);
  }
}

function mark(element, item, isChosen) {
  const link = element.firstElementChild;
  if (isChosen) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  replace(link.querySelector(".question-draft"), hasDraft(item.run_id, item.approval_id) ? "Draft" : null);
  setText(link.querySelector(".question-who"), whoText(item));
}

/** Who has decided the question, who has it open, or whom it waits for; empty if none of these is known. */
function whoText(item) {
  if (item.decided_by) {
    const changes = item.outcome === "modified" ? ", with changes" : "";
    return item.status === "vetoed" ? `Vetoed by ${item.decided_by}` : `Decided by ${item.decided_by}${changes}`;
  }
  const name = awaitedName([item], session()?.subject);
  return presenceText(presenceList.others(item.run_id, item.approval_id)) || (name ? `Waiting for ${name}` : "");
}

/** The round, the title of the question unless it stands in place of a subject, its pipeline and its run. */
function factsOf({ subject, title, pipeline, round, run_id: runId }) {
  return [round > 1 ? `Round ${round}` : null, subject ? title : null, humane(pipeline), runId].filter(Boolean).join(" · ");
}

function row(item, view) {
  const { deadline_at: deadline, decided_at: decidedAt } = item;
  const left = deadline
    ? h("span", { class: "question-left", "data-soon": Date.parse(deadline) - Date.now() < SOON_MS },
      span("visually-hidden", `open until ${full(deadline)}`), shortLeft(deadline))
    : span("question-left");
  const picture = item.picture ? pictureElement({ class: "question-picture", src: addressOf(item.picture), alt: "", loading: "lazy" }) : null;
  return h("li", {}, h("a", { class: "question", href: addressOfQuestion(item, view) },
    statusDot(decidedAt ? item.status : "attention"), span("question-title", item.subject ?? item.title), left, picture,
    span("question-facts", h("span", {}, factsOf(item)), span("question-draft"), shortAgo(decidedAt ?? item.requested_at)), span("question-who")));
}
