// Who has which question open: reported by open panels, kept current by the tenant's stream and by the reports.
import { Presence } from "../../../client/presence/presence.js";
import { session } from "./session.js";
import { gateway } from "./stream.js";

const MAX_NAMES = 3;

/** The presence at all questions of the tenant, as far as this page has received it. */
class PresenceList {
  #viewers = new Map();
  #listeners = new Set();

  /** Calls `listener()` after every change, until the function that this returns is called. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  replace(questions) {
    this.#viewers.clear();
    for (const question of questions) this.#set(question);
    for (const listener of this.#listeners) listener();
  }

  /** One question, as the stream reports it. */
  update(question) {
    this.#set(question);
    for (const listener of this.#listeners) listener();
  }

  /** Reads all; without a response they stay as they are. */
  async refresh() {
    try { this.replace((await gateway.get("/v1/approvals/presence")).questions); } catch { /* as documented above */ }
  }

  /** The viewers of a question without the signed-in person. */
  others(runId, approvalId) {
    const own = session()?.name;
    return (this.#viewers.get(`${runId}/${approvalId}`) ?? []).filter(({ name }) => name !== own);
  }

  #set({ run_id: runId, approval_id: approvalId, viewers }) { this.#viewers.set(`${runId}/${approvalId}`, viewers); }
}

export const presenceList = new PresenceList();

/** Reports that the signed-in person has a question open, until `close()`. */
export const reportPresence = (runId, approvalId) =>
  new Presence(gateway, runId, approvalId, (questions) => presenceList.replace(questions));

/** "Lan is deciding, Minh and Hoa are viewing"; empty without viewers. */
export function presenceText(viewers) {
  const names = (deciding) => viewers.filter((viewer) => viewer.deciding === deciding).map(({ name }) => name);
  const part = (list, what) => (list.length ? `${joined(list)} ${list.length === 1 ? "is" : "are"} ${what}` : "");
  return [part(names(true), "deciding"), part(names(false), "viewing")].filter(Boolean).join(", ");
}

function joined(names) {
  const shown = names.slice(0, MAX_NAMES);
  const last = names.length > MAX_NAMES ? `${names.length - MAX_NAMES} more` : shown.length > 1 ? shown.pop() : null;
  return last ? `${shown.join(", ")} and ${last}` : shown.join(", ");
}
