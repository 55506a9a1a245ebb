// Drafts of decisions, kept in this browser until they are sent or discarded: by run, approval and digest, so that
// a draft never appears under a question that has changed. Secrets are never part of a draft.

const PREFIX = "signalbox.draft/";
const KEEP_MS = 14 * 86_400_000;

function keyOf(runId, { approval_id: approvalId, digest }) {
  return PREFIX + [runId, approvalId, digest].map(encodeURIComponent).join("/");
}

/** Whether any draft for the question is kept, for whichever of its versions. */
export function hasDraft(runId, approvalId) {
  const start = `${PREFIX}${encodeURIComponent(runId)}/${encodeURIComponent(approvalId)}/`;
  try { return Object.keys(localStorage).some((key) => key.startsWith(start)); } catch { return false; }
}

/** The draft, or null. */
export function loadDraft(runId, approval) {
  try {
    const { saved_at: savedAt, draft } = JSON.parse(localStorage.getItem(keyOf(runId, approval)));
    return Date.now() - savedAt < KEEP_MS ? draft : null;
  } catch { return null; }
}

/** Returns false when the browser keeps nothing: storage is disabled or full. */
export function saveDraft(runId, approval, draft) {
  try {
    localStorage.setItem(keyOf(runId, approval), JSON.stringify({ saved_at: Date.now(), draft }));
    return true;
  } catch { return false; }
}

export function dropDraft(runId, approval) {
  try { localStorage.removeItem(keyOf(runId, approval)); } catch { /* nothing was stored */ }
}

/** Removes drafts that have expired, or every draft, as signing out does. */
export function clearDrafts({ all = false } = {}) {
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
      if (all || !isFresh(localStorage.getItem(key))) localStorage.removeItem(key);
    }
  } catch { /* nothing was stored */ }
}

function isFresh(text) {
  try { return Date.now() - JSON.parse(text).saved_at < KEEP_MS; } catch { return false; }
}
