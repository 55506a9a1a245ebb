// <signalbox-approval run-id="…" approval-id="…">: a question with its form; conflicts and expiry in place.

import { SignalboxError } from "../signalbox.js";
import { RunsStore } from "../state/runs-store.js";
import { SignalboxElement } from "./base-element.js";
import { QuestionView } from "./question-view.js";

const RECHECK_MS = 2000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Unlike randomUUID, also available without HTTPS. */
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("");

// Loaded when a question is shown, because a browser may not load a module again after one failure.
const loadCheck = () => import("../questions/shown-question.js");
const NOT_LOADED = "The check of the question could not be loaded, so nothing was sent. Reload the page and send again; "
  + "what you have entered is kept.";

/** The digest to send; rejects if it is not that of the approval that is shown. */
async function checkedDigest(approval) {
  const { verifiedDigest } = await loadCheck().catch(() => { throw new SignalboxError({ detail: NOT_LOADED }); });
  return verifiedDigest(approval);
}

/** Emits `signalbox-decided` with the gateway's response when a decision of this element was accepted. */
export class ApprovalElement extends SignalboxElement {
  static observedAttributes = ["run-id", "approval-id", "origin", "token"];

  start() {
    const [runId, approvalId] = [this.getAttribute("run-id"), this.getAttribute("approval-id")];
    this.shadowRoot.replaceChildren();
    if (!runId || !approvalId) return null;
    const session = new QuestionSession(this, runId, approvalId);
    this.shadowRoot.append(session.view.element);
    session.open();
    return () => session.close();
  }
}

/** One question while the element shows it. */
class QuestionSession {
  #owner;
  #runId;
  #approvalId;
  #approval = null;
  #decisionId = newId();
  #timer = 0;
  #isSending = false;
  #stop = () => {};
  #isClosed = false;

  constructor(owner, runId, approvalId) {
    this.#owner = owner;
    this.#runId = runId;
    this.#approvalId = approvalId;
    this.view = new QuestionView(owner, () => this.#send());
  }

  open() {
    this.#read();
    const store = new RunsStore(this.#owner.signalbox, [this.#runId]);
    // Without the permission to watch the run, the question is read again when it matters.
    this.#stop = store.subscribe(() => {
      const run = store.state.runs[this.#runId];
      const approval = run?.approvals.find(({ approval_id: id }) => id === this.#approvalId);
      if (approval) this.#apply(approval);
      else if (run && !this.#approval) this.#read();
    });
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stop();
  }

  async #read() {
    try {
      this.#apply(await this.#owner.signalbox.approval(this.#runId, this.#approvalId));
    } catch (error) {
      // An approval that has not been asked yet appears in the run later.
      if (!this.#isClosed && error.code !== "unknown_approval") this.view.showError(error);
    }
  }

  #apply(approval) {
    if (this.#isClosed) return;
    const before = this.#approval;
    if (before?.status === approval.status && before.digest === approval.digest) return;
    // A late response must not open a question again.
    if (before && before.status !== "pending" && approval.status === "pending") return;
    this.#approval = approval;
    if (approval.status === "pending") {
      if (before) this.#decisionId = newId();
      loadCheck().catch(() => {});
      this.view.ask(approval);
      this.#readAtDeadline(approval);
    } else {
      clearTimeout(this.#timer);
      this.view.conclude(approval, { isOwn: approval.decision_id === this.#decisionId });
    }
  }

  #readAtDeadline({ deadline_at: deadline }) {
    clearTimeout(this.#timer);
    if (!deadline) return;
    const left = new Date(deadline) - Date.now();
    this.#timer = setTimeout(async () => {
      await this.#read();
      if (this.#approval?.status === "pending") this.#readAtDeadline(this.#approval);
    }, Math.min(Math.max(left, 0) + RECHECK_MS, MAX_TIMER_MS));
  }

  async #send() {
    const approval = this.#approval;
    if (this.#isSending || approval?.status !== "pending" || !this.view.check()) return;
    this.#isSending = true;
    this.view.setSending(true);
    try {
      const answer = this.view.read();
      const digest = await checkedDigest(approval);
      const decided = await this.#owner.signalbox.decide(this.#runId, this.#approvalId, answer, {
        digest, decisionId: this.#decisionId,
        ...(approval.policy?.require_signature && { signature: await this.#sign(approval, answer) }),
      });
      this.view.accept(decided.status);
      this.#owner.emit("decided", decided);
    } catch (error) {
      this.view.refuse(error);
      // A corrected answer is a new decision; a repetition after a lost response is the same one.
      if (error.status === 422 || error.code === "decision_id_taken") this.#decisionId = newId();
      if (error.status === 409) await this.#read();
    } finally {
      this.#isSending = false;
      this.view.setSending(false);
    }
  }

  /** Signs with the caller's passkey, as the policy requires. */
  async #sign({ digest }, answer) {
    const [{ signDecision }, listing] = await Promise.all([
      import("../passkeys/webauthn.js"), this.#owner.signalbox.get("/v1/passkeys"),
    ]);
    const [runId, approvalId, decisionId] = [this.#runId, this.#approvalId, this.#decisionId];
    return signDecision(listing, { runId, approvalId, digest, decisionId, answer });
  }
}
