// Drafts of answers in the browser's storage, by run, approval and digest: never for a question that has changed, and
// for 14 days at most.

const PREFIX = "signalbox.element/";
const KEEP_MS = 14 * 86_400_000;
const keyOf = ({ run_id: runId, approval_id: approvalId, digest }) =>
  PREFIX + [runId, approvalId, digest].map(encodeURIComponent).join("/");

export const loadDraft = (approval) => read(keyOf(approval));

export function saveDraft(approval, draft) {
  try {
    localStorage.setItem(keyOf(approval), JSON.stringify({ saved_at: Date.now(), draft }));
  } catch { /* disabled or full */ }
}

export function dropDraft(approval) {
  try { localStorage.removeItem(keyOf(approval)); } catch { /* nothing was stored */ }
}

/** Removes the drafts that have expired, so that they do not pile up. */
export function clearDrafts() {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
    for (const key of keys) if (read(key) === null) localStorage.removeItem(key);
  } catch { /* nothing was stored */ }
}

/** The draft of a key; null if there is none, or if it has expired. */
function read(key) {
  try {
    const { saved_at: savedAt, draft } = JSON.parse(localStorage.getItem(key));
    return Date.now() - savedAt < KEEP_MS ? draft : null;
  } catch { return null; }
}
