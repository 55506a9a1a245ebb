// Who is signed in, as far as the page needs it: name, tenant, roles, end. The API key itself is forgotten at once;
// what proves the session is a cookie that scripts cannot read.

const KEY = "signalbox.session";

export function session() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept && (!kept.expires_at || Date.parse(kept.expires_at) > Date.now()) ? kept : null;
  } catch { return current; }
}

let current = null;

export function keepSession({ name = "", tenant = "", roles = [], expires_at = null }) {
  current = { name, tenant, roles, expires_at };
  try { localStorage.setItem(KEY, JSON.stringify(current)); } catch { /* storage is switched off: until the page is left */ }
}

export function forgetSession() {
  current = null;
  try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ }
}

const CONTAINS = { viewer: [], operator: ["operator"], approver: ["approver"], admin: ["operator", "approver", "admin"], deployment_operator: ["deployment_operator"] };

/** Whether to offer an action. The gateway decides; this only spares people a refusal. */
export function may(role) {
  const roles = session()?.roles ?? [];
  return roles.length === 0 || roles.some((own) => CONTAINS[own]?.includes(role));
}
