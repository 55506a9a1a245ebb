// The approvals of a run: pending (cards or a form), decided, or superseded while someone was deciding.
import { div, h } from "../ui/dom.js";
import { loadDraft } from "../data/drafts.js";
import { clock } from "../ui/format.js";
import { may } from "../data/session.js";
import { heading } from "./approval-heading.js";
import { decidedSummary, decidedView } from "./decided.js";
import { OpenPanel } from "./open-panel.js";
import { proofView } from "./proof.js";

/**
 * The panels of a run's approvals. A panel is kept across events, so that input is not lost.
 * `decided()` is called when the gateway has accepted a decision.
 */
export class ApprovalPanels {
  #panels = new Map();
  #present = null;

  constructor(runId, { decided }) {
    Object.assign(this, { runId, decided });
    this.element = h("div", { class: "approvals", onfocusin: () => this.#reportPresence() });
  }

  update(snapshot) {
    for (const approval of [...snapshot.approvals].reverse()) {
      const before = this.#panels.get(approval.approval_id);
      const version = `${approval.status}/${approval.digest}`;
      if (before?.version === version) {
        before.open?.showVotes(approval);
        continue;
      }
      this.#put(approval, before, { version, ...this.#panelOf(approval, before?.open) });
    }
    this.#sort(snapshot);
    this.#reportPresence();
  }

  /** The panel of the question that is still open, or undefined. */
  get open() { return [...this.#panels.values()].find(({ open }) => open?.element.classList.contains("open"))?.open; }

  /** Others see that this person has the question with the focus open, else the first one. */
  #reportPresence() {
    const { activeElement } = document;
    const open = [...this.#panels.values()].map((panel) => panel.open).filter((panel) => panel?.element.classList.contains("open"));
    const panel = open.find(({ element }) => element.contains(activeElement)) ?? (open.includes(this.#present) ? this.#present : open[0]);
    if (panel !== this.#present) this.#present?.presence.stop();
    this.#present = panel ?? null;
    panel?.presence.start(panel.hasDraft);
  }

  close() { for (const { open } of this.#panels.values()) open?.close(); }

  #put(approval, before, entry) {
    if (!before) this.element.append(entry.element);
    else if (before.element !== entry.element) before.element.replaceWith(entry.element);
    if (entry.kept) entry.element.append(entry.kept);
    this.#panels.set(approval.approval_id, entry);
  }

  #panelOf(approval, before) {
    if (approval.status === "pending") return this.#pending(approval, before);
    const open = before ?? this.#fromDraft(approval);
    if (!open?.hasDraft || open.isDecider(approval)) {
      open?.discard();
      open?.close();
      return { element: closedPanel(this.runId, approval) };
    }
    const isDecided = approval.status === "decided";
    const head = heading(approval, `approval-${approval.approval_id}`);
    open.supersede({ head, text: endText(approval), details: isDecided ? decidedView(approval) : null }, () => {
      this.#put(approval, this.#panels.get(approval.approval_id), { version: `${approval.status}/${approval.digest}`, element: closedPanel(this.runId, approval) });
    });
    return { element: open.element, open };
  }

  /** A pending question. When it has changed, the draft for its earlier version is kept below the new one. */
  #pending(approval, before) {
    const open = new OpenPanel(this.runId, approval, { decided: this.decided });
    if (!before?.hasDraft) {
      before?.close();
      return { element: open.element, open };
    }
    before.supersede({ head: null, text: "This question has changed since you began.", details: null }, () => before.element.remove());
    return { element: open.element, open, kept: before.element };
  }

  /** The panel of a draft that was kept from an earlier visit, while the question has been closed. */
  #fromDraft(approval) {
    if (!may("approver") || !approval.answer_schema || loadDraft(this.runId, approval) === null) return null;
    return new OpenPanel(this.runId, { ...approval, status: "pending" }, { decided: this.decided });
  }

  /** Pending approvals first, then the newest. Moves only panels that are out of place, and keeps the focus. */
  #sort(snapshot) {
    const focused = document.activeElement;
    const newest = [...snapshot.approvals].reverse();
    const wanted = [...newest.filter((item) => item.status === "pending"), ...newest.filter((item) => item.status !== "pending")];
    wanted.forEach((item, index) => {
      const { element } = this.#panels.get(item.approval_id);
      if (this.element.children[index] !== element) this.element.insertBefore(element, this.element.children[index] ?? null);
    });
    if (document.activeElement !== focused && this.element.contains(focused)) focused.focus({ preventScroll: true });
  }
}

/** The panel of one open approval; `decided()` is called when the gateway has accepted a decision. */
export function openApproval(runId, approval, { decided }) {
  return new OpenPanel(runId, approval, { decided });
}

function endText(approval) {
  if (approval.status === "vetoed") return `${approval.decided_by} objected, which ended this question: ${approval.note}`;
  if (approval.status === "withdrawn") return "The run no longer asks this question.";
  if (approval.outcome === "defaulted") return "This question expired, and the run continued with the default answer.";
  if (approval.status === "expired") return "This question expired without a decision.";
  if (approval.status !== "decided") return "The run ended before this question was decided.";
  const what = decidedSummary(approval);
  return `${approval.decided_by} decided this at ${clock(approval.decided_at)}${what ? `: ${what}` : ""}.`;
}

function closedPanel(runId, approval) {
  const title = `approval-${approval.approval_id}`;
  return h("section", { class: "panel approval", "aria-labelledby": title, data: { approval: approval.approval_id } },
    h("details", {}, h("summary", {}, heading(approval, title)), decidedView(approval), proofView(runId, approval)));
}
