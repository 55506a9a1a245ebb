// Objecting to a question: a dialog that asks for the reason.
import { api, newKey } from "../data/api.js";
import { confirm } from "../ui/dialog.js";
import { signedBody } from "./signing.js";

/** Resolves with {status, body} of the gateway's answer, or with null when the dialog was dismissed. */
export async function raiseObjection(runId, approval) {
  const { veto = [] } = approval.policy ?? {};
  const ends = veto.length ? ` An objection of ${veto.join(" or ")} ends the question.` : "";
  const answer = await confirm({
    name: "object", title: `Object to “${approval.title}”?`,
    text: `Your objection replaces your vote, if you have cast one.${ends}`,
    action: "Object", danger: true, reasonLabel: "Reason (visible to others)", reasonRequired: true,
  });
  if (!answer) return null;
  const body = { reason: answer.reason, decision_id: newKey(), digest: approval.digest };
  return api.object(runId, approval.approval_id, await signedBody(runId, approval, body));
}
