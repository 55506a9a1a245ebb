// Prepares a decision: compares the digest with what is shown, and signs if the question's policy requires it.
import { addressOf, api, Problem } from "../data/api.js";

export const isSigned = ({ policy }) => Boolean(policy?.require_signature);

// Shared with the elements of other pages, and loaded when it is needed.
export const webauthn = () => import(addressOf("/client/passkeys/webauthn.js"));

const shownQuestion = () => import(addressOf("/client/questions/shown-question.js"));
const NOT_LOADED = "The check of the question could not be loaded, so nothing was sent. Reload the page and send again; "
  + "what you have entered is kept.";

/** To be called when a question is shown, because a browser may not load a module again after one failure. */
export const loadCheck = () => shownQuestion().catch(() => {});

/** Rejects if the digest of an approval is not that of the question as it is shown; nothing must be sent then. */
export async function checkShown(approval) {
  const { verifiedDigest } = await shownQuestion().catch(() => { throw new Problem({ code: "unreachable", detail: NOT_LOADED }); });
  await verifiedDigest(approval);
}

/** Returns the body of a decision or an objection, with `signature` if the policy requires one. */
export async function signedBody(runId, approval, body) {
  if (!isSigned(approval)) return body;
  const [{ signDecision }, listing] = await Promise.all([webauthn(), api.passkeys()]);
  const objection = "reason" in body;
  const signature = await signDecision(listing, {
    runId, approvalId: approval.approval_id, digest: body.digest, decisionId: body.decision_id,
    answer: objection ? null : body.answer, note: objection ? body.reason : body.note, objection,
  });
  return { ...body, signature };
}
