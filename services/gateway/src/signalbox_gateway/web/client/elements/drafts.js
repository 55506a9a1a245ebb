// Drafts of answers in the browser's storage, by run, approval and digest: never for a question that has changed.

const PREFIX = "signalbox.element/";
const keyOf = ({ run_id: runId, approval_id: approvalId, digest }) =>
  PREFIX + [runId, approvalId, digest].map(encodeURIComponent).join("/");

export function loadDraft(approval) {
  try { return JSON.parse(localStorage.getItem(keyOf(approval))); } catch { return null; }
}

export function saveDraft(approval, draft) {
  try { localStorage.setItem(keyOf(approval), JSON.stringify(draft)); } catch { /* disabled or full */ }
}

export function dropDraft(approval) {
  try { localStorage.removeItem(keyOf(approval)); } catch { /* nothing was stored */ }
}
