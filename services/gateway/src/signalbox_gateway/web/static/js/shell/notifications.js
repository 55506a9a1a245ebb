// Notifications of the browser for questions that arrive while the console is not in view. Off until chosen.
import { store, stored } from "../ui/preferences.js";

const KEY = "signalbox.notify";
const MAX_SHOWN = 3;

export const canNotify = () => "Notification" in window;
export const isNotifying = () => canNotify() && Notification.permission === "granted" && stored(KEY) === "on";

/** Asks the browser for permission; returns whether notifications are on afterwards. */
export async function startNotifying() {
  if (!canNotify()) return false;
  const permission = await Notification.requestPermission();
  store(KEY, permission === "granted" ? "on" : null);
  return isNotifying();
}

export function stopNotifying() { store(KEY, null); }

/** One notification per question; the tag makes the tabs of a browser share it. */
export function notifyOf(approvals) {
  if (!isNotifying() || document.hasFocus()) return;
  for (const { run_id: run, approval_id: approval, title, subject, pipeline } of approvals.slice(0, MAX_SHOWN)) {
    const notification = new Notification(subject ?? title, { body: `${subject ? title : pipeline} · ${run}`, tag: `${run}/${approval}` });
    notification.onclick = () => {
      window.focus();
      location.hash = `#/inbox/${encodeURIComponent(run)}/${encodeURIComponent(approval)}`;
      notification.close();
    };
  }
}
