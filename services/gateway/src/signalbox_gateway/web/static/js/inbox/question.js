// One question of the inbox: what it belongs to, the first page if it is about a document, and the form to decide it.
import { ApprovalPanels } from "../approval/approval.js";
import { RoundChanges } from "../approval/rounds.js";
import { api, artifactAddress } from "../data/api.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, pictureElement, replace } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { agoTime } from "../ui/ticker.js";

const PAGE = /^page-\d+\.(jpg|png|webp)$/;

export class Question {
  #closed = false;
  #isLoaded = false;

  /** decided({isOpen}): this decision was accepted; further votes are needed. back: the address of the list, for small screens. */
  constructor({ run_id: runId, approval_id: approvalId }, { decided, back }) {
    Object.assign(this, { runId, approvalId });
    this.panels = new ApprovalPanels(runId, {
      decided: ({ accepted, isOpen }) => {
        if (!accepted || isOpen) this.reload();
        if (accepted) decided({ isOpen });
      },
    });
    // On small screens, where the list with its heading is hidden.
    this.about = div("triage-about", h("h1", { class: "back" }, h("a", { href: back }, "Inbox")));
    this.rounds = new RoundChanges();
    this.body = div("beside", this.panels.element);
    this.element = h("div", { class: "triage-question" }, this.about, this.rounds.element, this.body);
  }

  async load() {
    try {
      const [approval, run] = await Promise.all([api.approval(this.runId, this.approvalId), api.run(this.runId)]);
      if (this.#closed) return;
      this.#isLoaded = true;
      replace(this.body, this.panels.element);
      this.#describe(run, approval);
      this.panels.update({ approvals: [approvalOf(approval)] });
      const closed = this.panels.element.querySelector(".approval > details");
      if (closed) closed.open = true;
    } catch (problem) {
      if (!this.#closed && problem.status !== 401) replace(this.body, problemNotice(problem), this.#againButton());
    }
  }

  /** Shows what has become of the question; the draft stays. */
  async reload() {
    if (!this.#isLoaded) { await this.load(); return; }
    try {
      const approval = await api.approval(this.runId, this.approvalId);
      if (!this.#closed) this.panels.update({ approvals: [approvalOf(approval)] });
    } catch { /* the question stays as it is; sending it reports what is wrong */ }
  }

  #againButton() {
    return h("p", { class: "actions" }, h("button", { type: "button", class: "button", onclick: () => this.load() }, "Try again"));
  }

  close() {
    this.#closed = true;
    this.panels.close();
  }

  /** A, E, R and digits; false when there is nothing to decide. */
  onKey(key) { return this.panels.open?.body.onKey(key) ?? false; }

  #describe(run, approval) {
    const back = this.about.firstElementChild;
    replace(this.about, back,
      h("a", { href: `#/runs/${encodeURIComponent(this.runId)}` }, run.subject || run.title || humane(run.pipeline)),
      run.subject ? h("span", {}, run.title || humane(run.pipeline)) : null,
      h("code", {}, this.runId), run.started_by ? h("span", {}, `started by ${run.started_by}`) : null,
      approval.requested_at ? h("span", {}, "asked ", agoTime(approval.requested_at)) : null);
    this.rounds.update(run, this.approvalId);
    const page = run.artifacts.find((artifact) => PAGE.test(artifact.name));
    if (page) this.body.prepend(pictureElement({ src: artifactAddress(this.runId, page.name), alt: "First page of the document" }));
  }
}

/** The API's view as a snapshot has it: the last decision is part of the approval. */
function approvalOf({ decisions = [], ...approval }) {
  const none = { decision_id: null, decided_by: null, decided_at: null, answer: null, note: null };
  return { ...none, ...approval, ...decisions.at(-1) };
}
