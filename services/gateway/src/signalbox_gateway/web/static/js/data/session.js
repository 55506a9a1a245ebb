// The signed-in principal as the page shows it: name, tenant, roles, expiry. The API key is not stored; the session
// is an HttpOnly cookie that scripts cannot read.

const KEY = "signalbox.session";
// Who was signed in last, also after the session has expired.
const LAST = "signalbox.principal";

export function session() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept && (!kept.expires_at || Date.parse(kept.expires_at) > Date.now()) ? kept : null;
  } catch { return current; }
}

let current = null;
// Whose data this page shows.
let shown = principalOf(session());

function principalOf(kept) {
  return kept ? `${kept.tenant} ${kept.subject ?? kept.name}` : "";
}

export function storeSession({ name = "", tenant = "", roles = [], expires_at = null, temporal_ui_url = null, trace_url = null, temporal_run_url = null, subject = null }) {
  current = { name, tenant, roles, expires_at, temporal_ui_url, trace_url, temporal_run_url, subject: subject?.subject ?? null };
  shown = principalOf(current);
  try { localStorage.setItem(KEY, JSON.stringify(current)); } catch { /* storage is disabled: valid until the page is closed */ }
}

/** Whether this is somebody else than who was signed in before in this browser; notes who it is. */
export function isSomebodyElse() {
  try {
    const before = localStorage.getItem(LAST);
    localStorage.setItem(LAST, shown);
    return before !== null && before !== shown;
  } catch { return false; }   // without storage nothing of anybody else is kept
}

/** Calls `changed()` when another tab has signed out, or signed in somebody else: the cookie is theirs from now on. */
export function whenPrincipalChanges(changed) {
  const compare = () => { if (principalOf(session()) !== shown) changed(); };
  addEventListener("storage", ({ key }) => { if (key === KEY || key === null) compare(); });
  // A page that was kept in memory has missed the event.
  addEventListener("pageshow", ({ persisted }) => { if (persisted) compare(); });
}

export function forgetPrincipal() {
  try { localStorage.removeItem(LAST); } catch { /* nothing was stored */ }
}

export function clearSession() {
  current = null;
  shown = "";
  try { localStorage.removeItem(KEY); } catch { /* nothing was stored */ }
}

const CONTAINS = {
  viewer: ["viewer"],
  operator: ["operator", "viewer"],
  approver: ["approver", "viewer"],
  admin: ["operator", "approver", "admin", "viewer"],
  deployment_operator: ["deployment_operator"],
};

/** Whether to offer an action. Only for display: the gateway enforces the roles. */
export function may(role) {
  const roles = session()?.roles ?? [];
  return roles.length === 0 || roles.some((own) => CONTAINS[own]?.includes(role));
}
