// The panel of one pending approval. What is entered is kept as a draft until the decision is accepted.
import { api, newKey } from "../data/api.js";
import { problemNotice, toast } from "../ui/announce.js";
import { div, h, replace } from "../ui/dom.js";
import { dropDraft, loadDraft, saveDraft } from "../data/drafts.js";
import { plainPath, variantAnswer } from "../forms/schema.js";
import { may } from "../data/session.js";
import { AnswerForm } from "./answer-form.js";
import { heading } from "./approval-heading.js";
import { PanelPresence } from "./panel-presence.js";
import { Assignment } from "./assignment.js";
import { Deadline } from "./deadline.js";
import { VariantBoard } from "./variants.js";
import { raiseObjection } from "./objection.js";
import { checkShown, isSigned, loadCheck, signedBody } from "./signing.js";
import { policyText, votesView } from "./votes.js";

const SAVE_MS = 200;
const RECORDED = "Decision recorded. The run continues as soon as a worker is available.";
const CHOICES = "input[type=radio], input[type=checkbox], select, button:not(.stage-open)";
// Problems that a new passkey solves.
const PASSKEY_CODES = new Set(["passkey_missing", "passkey_unknown", "passkey_of_another", "passkey_revoked", "passkey_cloned"]);
const LIST_BUTTONS = ".groups button, .group > button";

export class OpenPanel {
  // A retry after a lost response sends the same id, so it cannot become a second decision.
  #decisionId = newKey();
  #timer = 0;
  #isOpen = true;

  /**
   * decided({accepted, isOpen}): the gateway has accepted this decision, or refused it because there is one already.
   * isOpen: it is a vote, and further ones are needed.
   */
  constructor(runId, approval, { decided }) {
    // `approval` follows the votes; `shown` stays what the digest is compared with.
    Object.assign(this, { runId, approval, shown: approval, decided });
    loadCheck();
    const draft = loadDraft(runId, approval);
    this.hasDraft = draft !== null;
    this.body = bodyOf(runId, approval, draft);
    this.banner = div("approval-banner");
    this.problem = div("approval-problem");
    this.deadline = new Deadline(approval);
    this.assignment = new Assignment(runId, approval.approval_id, {
      changed: (now) => this.showVotes({ ...this.approval, ...now }),
    });
    this.assignment.update(approval);
    this.presence = new PanelPresence(runId, approval.approval_id);
    this.object = h("button", { type: "button", class: "button danger-quiet", onclick: () => this.#object() }, "Object");
    this.object.hidden = !may("approver") || !policyText(approval.policy);
    const label = isSigned(approval) ? "Sign and send" : this.body.sendLabel;
    this.send = h("button", { type: "submit", class: "button primary" }, label);
    const allowed = may("approver");
    this.send.disabled = !allowed;
    const title = `approval-${approval.approval_id}`;
    this.head = heading(approval, title);
    const restored = "Your draft was restored. It has not been sent.";
    this.restored = h("p", { class: "hint", hidden: !this.hasDraft }, restored);
    const submit = (event) => { event.preventDefault(); this.#submit(); };
    this.form = h("form", { novalidate: true, onsubmit: submit, onkeydown: (event) => this.#onKey(event) },
      this.head, this.banner, this.body.element, this.problem,
      div("send-bar", this.body.tally, this.restored, this.presence.element, this.deadline.element,
        allowed ? null : h("p", { class: "hint" }, "You need the role approver to decide."),
        this.assignment.element, this.object, this.send));
    for (const name of ["input", "change", "click"]) {
      this.form.addEventListener(name, (event) => this.#onInput(event));
    }
    this.onLeave = () => this.#saveNow();
    addEventListener("pagehide", this.onLeave);
    const names = { "aria-labelledby": title, data: { approval: approval.approval_id } };
    this.element = h("section", { class: "panel approval open", ...names }, this.form);
  }

  /** Shows the votes so far and who deals with the question; what is entered stays. */
  showVotes(approval) {
    this.approval = approval;
    this.assignment.update(approval);
    this.head.querySelector(".votes")?.replaceWith(votesView(approval));
  }

  close() {
    removeEventListener("pagehide", this.onLeave);
    this.#saveNow();
    this.#isOpen = false;   // leaving a field as it is removed is a change, which must not be saved any more
    this.deadline.close();
    this.presence.close();
  }

  /** Whether the decision on the question is the one that this panel sent, even if its response was lost. */
  isDecider(approval) { return approval.decision_id === this.#decisionId; }

  /**
   * Shows in place why the question is no longer open, when that is not this panel's decision; the draft stays
   * readable.
   *
   * head: the new heading, or null for none. text: what happened. details: elements below it.
   * discarded(): the draft was discarded.
   */
  supersede({ head, text, details }, discarded) {
    this.#saveNow();
    this.#isOpen = false;
    this.deadline.close();
    this.presence.close();
    this.presence.element.hidden = this.deadline.element.hidden = this.restored.hidden = this.object.hidden = this.send.hidden = true;
    if (head) this.head.replaceWith(head);
    else this.head.remove();
    replace(this.problem);
    this.element.classList.remove("open");
    this.element.classList.add("superseded");
    const discard = () => { this.discard(); discarded(); };
    replace(this.banner, h("div", { class: "notice", role: "alert" }, h("p", {}, h("strong", {}, text)),
      h("p", {}, "Your own draft is kept below. It has no effect."), details,
      h("p", { class: "actions" },
        h("button", { type: "button", class: "button", onclick: discard }, "Discard my draft"))));
    // Read-only instead of disabled: a disabled control would lose the focus and could not be copied from.
    for (const control of this.body.element.querySelectorAll("input, textarea")) control.readOnly = true;
    for (const control of this.body.element.querySelectorAll(CHOICES)) {
      if (control !== document.activeElement) control.disabled = true;
    }
  }

  /** Ctrl-Enter sends from any field. */
  #onKey(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!this.send.disabled) this.form.requestSubmit();
  }

  discard() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.hasDraft = false;
    dropDraft(this.runId, this.approval);
  }

  #onInput(event) {
    // A click matters only where it changes the form, for example "Add one".
    if (!this.#isOpen || (event.type === "click" && !event.target.closest(LIST_BUTTONS))) return;
    this.hasDraft = true;
    this.presence.deciding();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#saveNow(), SAVE_MS);
  }

  #saveNow() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.hasDraft) saveDraft(this.runId, this.approval, this.body.draft());
  }

  async #submit() {
    if (!this.#isOpen) return;
    replace(this.problem);
    const faults = this.body.problems();
    this.body.show(faults);
    if (faults.length) return;
    this.send.disabled = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      await checkShown(this.shown);
      const { status, body } = await api.decide(this.runId, this.approval.approval_id, await signedBody(this.runId, this.approval, {
        decision_id: this.#decisionId, digest: this.approval.digest, answer: this.body.read(),
      }));
      this.discard();
      // A change of what was accepted is a new decision.
      if (status === 202 || body.status === "counted") this.#decisionId = newKey();
      toast(doneText(status, body), { kind: "good" });
      this.decided({ accepted: true, isOpen: body.status === "counted" });
    } catch (problem) {
      this.#refused(problem);
    } finally {
      this.send.disabled = !may("approver");
      this.element.removeAttribute("aria-busy");
    }
  }

  async #object() {
    try {
      await checkShown(this.shown);
      const answer = await raiseObjection(this.runId, this.approval);
      if (!answer) return;
      const isOpen = answer.body.status === "counted";
      if (answer.status === 202) toast(RECORDED);
      else toast(isOpen ? "Objection counted." : "Objection counted; it has ended the question.");
      this.discard();
      this.decided({ accepted: true, isOpen });
    } catch (problem) { this.#refused(problem); }
  }

  #refused(problem) {
    const own = problem.errors.filter((error) => plainPath(error.field).startsWith("answer"));
    const inForm = (error) => ({ ...error, field: plainPath(error.field).replace(/^answer\.?/, "") });
    if (own.length) this.body.show(own.map(inForm));
    if (!own.length || problem.status === 409) replace(this.problem, problemNotice(problem), PASSKEY_CODES.has(problem.code) ? passkeysLink() : null);
    // A corrected answer after a 422 is a new decision; a retry after a lost response is not. The id of a vote whose
    // response was lost has its first answer.
    if (problem.status === 422 || problem.code === "decision_id_taken") this.#decisionId = newKey();
    if (problem.status === 409) {
      this.hasDraft = true;
      this.decided({ accepted: false });
    }
  }
}

const passkeysLink = () => h("p", {}, h("a", { href: "#/passkeys" }, "Your passkeys"));

function doneText(status, body) {
  if (status === 202) return RECORDED;
  return body.status === "counted" ? `Vote counted: ${body.message}.` : "Decision accepted.";
}

function bodyOf(runId, approval, draft) {
  const shape = variantAnswer(approval.answer_schema);
  const { options } = approval;
  const cards = shape && Array.isArray(options) && options.every((option) => option?.variant);
  return cards ? new VariantBoard(runId, approval, shape, draft) : new AnswerForm(approval, draft);
}
