// The signed-in principal as the page shows it: name, tenant, roles, expiry. The API key is not stored; the session
// is an HttpOnly cookie that scripts cannot read.

const KEY = "signalbox.session";

export function session() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept && (!kept.expires_at || Date.parse(kept.expires_at) > Date.now()) ? kept : null;
  } catch { return current; }
}

let current = null;

export function storeSession({ name = "", tenant = "", roles = [], expires_at = null, temporal_ui_url = null, trace_url = null, subject = null }) {
  current = { name, tenant, roles, expires_at, temporal_ui_url, trace_url, subject: subject?.subject ?? null };
  try { localStorage.setItem(KEY, JSON.stringify(current)); } catch { /* storage is disabled: valid until the page is closed */ }
}

export function clearSession() {
  current = null;
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
