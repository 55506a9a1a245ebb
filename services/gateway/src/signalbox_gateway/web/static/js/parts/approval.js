// One approval on the run page: pending (cards or a form) or decided.
import { api, newKey } from "../api.js";
import { problemNotice, toast } from "../announce.js";
import { div, h, replace } from "../dom.js";
import { schemaForm } from "../form.js";
import { full } from "../format.js";
import { plainPath, variantAnswer } from "../schema.js";
import { may } from "../session.js";
import { agoTime } from "../ticker.js";
import { dataView } from "./data-view.js";
import { decidedSummary, decidedView } from "./decided.js";
import { statusSign } from "./lamp.js";
import { pictureQuestion } from "./picture-question.js";
import { VariantBoard } from "./variants.js";

/**
 * The panels of a run's approvals. A panel is kept across events, so that input is not lost.
 * `decided()` is called when the gateway has accepted a decision.
 */
export class ApprovalPanels {
  #panels = new Map();

  constructor(runId, { decided }) {
    this.runId = runId;
    this.decided = decided;
    this.element = div("approvals");
  }

  update(snapshot) {
    for (const approval of [...snapshot.approvals].reverse()) {
      const before = this.#panels.get(approval.approval_id);
      const version = `${approval.status}/${approval.digest}`;
      if (before?.version === version) continue;
      const element = approval.status === "pending" ? this.#open(approval) : closedPanel(approval);
      if (before) before.element.replaceWith(element);
      else this.element.append(element);
      this.#panels.set(approval.approval_id, { version, element });
    }
    this.#sort(snapshot);
  }

  /** Pending approvals first, then the newest. Moves only panels that are out of place, so that the focus stays. */
  #sort(snapshot) {
    const newest = [...snapshot.approvals].reverse();
    const wanted = [...newest.filter((item) => item.status === "pending"), ...newest.filter((item) => item.status !== "pending")];
    wanted.forEach((item, index) => {
      const { element } = this.#panels.get(item.approval_id);
      if (this.element.children[index] !== element) this.element.insertBefore(element, this.element.children[index] ?? null);
    });
  }

  #open(approval) { return openApproval(this.runId, approval, { decided: this.decided }); }
}

/** The panel of one open approval; `decided()` is called when the gateway has accepted a decision. */
export function openApproval(runId, approval, { decided }) {
  const shape = variantAnswer(approval.answer_schema);
  const cards = shape && Array.isArray(approval.options) && approval.options.every((option) => option?.variant);
  const body = cards ? new VariantBoard(runId, approval, shape) : new AnswerForm(approval);
  return new OpenPanel(runId, approval, body, decided).element;
}

class OpenPanel {
  // A retry after a lost response sends the same id, so it cannot become a second decision.
  #decisionId = newKey();

  constructor(runId, approval, body, decided) {
    Object.assign(this, { runId, approval, body, decided });
    this.problem = div("approval-problem");
    this.send = h("button", { type: "submit", class: "button primary" }, body.sendLabel);
    const allowed = may("approver");
    this.send.disabled = !allowed;
    const title = `approval-${approval.approval_id}`;
    this.element = h("section", { class: "panel approval open", "aria-labelledby": title, data: { approval: approval.approval_id } },
      h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
        heading(approval, title), body.element,
        this.problem,
        div("send-bar", body.tally, allowed ? null : h("p", { class: "hint" }, "You need the role approver to decide."), this.send)));
  }

  async #submit() {
    replace(this.problem);
    const faults = this.body.problems();
    this.body.show(faults);
    if (faults.length) return;
    this.send.disabled = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      const { status } = await api.decide(this.runId, this.approval.approval_id, {
        decision_id: this.#decisionId, digest: this.approval.digest, answer: this.body.read(),
      });
      const when = status === 202 ? "recorded. The run continues as soon as a worker is available." : "sent. The run continues.";
      toast(`Decision ${when}`, { kind: "good" });
      this.decided();
    } catch (problem) {
      this.#refused(problem);
    } finally {
      this.send.disabled = !may("approver");
      this.element.removeAttribute("aria-busy");
    }
  }

  #refused(problem) {
    const own = problem.errors.filter((error) => plainPath(error.field).startsWith("answer"));
    if (own.length) this.body.show(own.map((error) => ({ ...error, field: plainPath(error.field).replace(/^answer\.?/, "") })));
    if (!own.length || problem.status === 409) replace(this.problem, problemNotice(problem));
    // A corrected answer after a 422 is a new decision; a retry after a lost response is not.
    if (problem.status === 422) this.#decisionId = newKey();
    if (problem.status === 409) this.decided();
  }
}

/** The view for any pipeline: options and evidence as data, and a form from the answer's schema. */
class AnswerForm {
  sendLabel = "Send decision";
  tally = null;

  constructor(approval) {
    this.form = schemaForm(approval.answer_schema);
    const asked = pictureQuestion(approval.evidence);
    const parts = asked ? [] : [["Options", approval.options], ["Evidence", approval.evidence]]
      .filter(([, value]) => value !== null && value !== undefined);
    this.element = div("answer", asked,
      parts.map(([title, value]) => div("asked", h("h3", {}, title), dataView(value))), this.form.element);
  }

  problems() { return this.form.problems(); }
  show(errors) { this.form.show(errors); }
  read() { return this.form.read(); }
}

function closedPanel(approval) {
  const title = `approval-${approval.approval_id}`;
  return h("section", { class: "panel approval", "aria-labelledby": title, data: { approval: approval.approval_id } },
    h("details", {}, h("summary", {}, heading(approval, title)), decidedView(approval)));
}

function heading(approval, id) {
  const facts = [];
  if (approval.status === "pending" && approval.deadline_at) {
    facts.push("Open until ", h("time", { datetime: approval.deadline_at }, full(approval.deadline_at)));
  } else if (approval.decided_at) {
    const what = decidedSummary(approval);
    facts.push(what ? `${what} · ` : "", `${approval.decided_by}, `, agoTime(approval.decided_at));
  }
  const status = approval.status === "pending" ? "attention" : approval.status;
  return div("approval-head", h("h2", { id }, approval.title),
    h("p", { class: "approval-facts" }, statusSign(status).element, facts.length ? h("span", {}, facts) : null));
}
