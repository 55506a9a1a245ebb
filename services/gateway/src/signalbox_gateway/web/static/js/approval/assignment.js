// Who deals with an open question: claim, release, delegate.
import { api } from "../data/api.js";
import { may, session } from "../data/session.js";
import { toast } from "../ui/announce.js";
import { ask } from "../ui/dialog.js";
import { h, setText } from "../ui/dom.js";
import { isClaimed } from "./votes.js";

export class Assignment {
  /** changed({claim, handed_to}): who deals with the question now. */
  constructor(runId, approvalId, { changed }) {
    Object.assign(this, { runId, approvalId, changed });
    this.claim = h("button", { type: "button", class: "button quiet", onclick: () => this.#send(this.isOwn ? "release" : "claim") });
    this.delegate = h("button", { type: "button", class: "button quiet", onclick: () => this.#delegate() }, "Delegate");
    this.element = h("span", { class: "assignment", hidden: !may("approver") }, this.claim, this.delegate);
  }

  update(approval) {
    this.isOwn = isClaimed(approval) && approval.claim.by.subject === session()?.subject;
    setText(this.claim, this.isOwn ? "Release" : "Claim");
    this.claim.title = this.isOwn ? "Release your claim" : "Show others for 15 minutes that you are deciding";
  }

  async #delegate() {
    const text = "A subject, for example key:lan, or a group, for example group:legal. Delegating does not grant the right to decide; the policy still applies.";
    const to = await ask({ name: "delegate", title: "Delegate the question", text, label: "To", action: "Delegate", max: 500 });
    if (to) await this.#send("delegate", { to });
  }

  async #send(verb, body) {
    try {
      const { body: now } = await api.assign(this.runId, this.approvalId, verb, body);
      this.changed({ claim: now.claimed_by && { by: now.claimed_by, until: now.claimed_until }, handed_to: now.delegated_to });
    } catch (problem) { toast(problem.message, { kind: "error" }); }
  }
}
