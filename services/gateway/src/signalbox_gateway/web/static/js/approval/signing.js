// Signs a decision with the caller's passkey, if the question's policy requires it.
import { addressOf, api } from "../data/api.js";

export const isSigned = ({ policy }) => Boolean(policy?.require_signature);

// Shared with the elements of other pages, and loaded when it is needed.
export const webauthn = () => import(addressOf("/client/passkeys/webauthn.js"));

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
