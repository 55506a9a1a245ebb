// The entries of the activity in words: what was done, and where it leads.

const KINDS = {
  api_key: "API key", payload_key: "Payload key", link_key: "Link key", policy: "Policy", token: "Token", schedule: "Schedule",
  sender_key: "Sender key", passkey: "Passkey", run: "Run",
};
const QUESTIONS = {
  requested: "Question asked", reminded: "Reminder", claimed: "Question claimed", released: "Claim released",
  delegated: "Question delegated", escalated: "Question escalated", voted: "Vote cast", vote_refused: "Vote refused",
  decided: "Decided", vetoed: "Vetoed", expired: "Question expired", withdrawn: "Question withdrawn",
};
const OUTCOMES = { modified: ", with changes", defaulted: ", default answer taken" };
const ADMIN = "admin";

/** The filters, {value, text, role?} in groups: kinds of events, and the events of questions. */
export const FILTERS = [
  { group: "Kinds", filters: [
    { value: "approval", text: "Questions and decisions" }, { value: "run", text: "Runs paused, resumed, cancelled" },
    { value: "schedule", text: "Schedules" }, { value: "policy", text: "Policies" },
    { value: "api_key", text: "API keys", role: ADMIN }, { value: "payload_key", text: "Payload keys", role: ADMIN },
    { value: "link_key", text: "Link keys", role: ADMIN }, { value: "sender_key", text: "Sender keys", role: ADMIN },
    { value: "token", text: "Tokens", role: ADMIN },
    { value: "passkey", text: "Passkeys", role: ADMIN },
  ] },
  { group: "Questions", filters: Object.entries(QUESTIONS).map(([name, text]) => ({ value: `approval.${name}`, text })) },
];

/** What was done: "Decided, with changes", "Schedule paused". */
export function actionText({ action, outcome }) {
  const [kind, verb] = action.split(".");
  const words = (verb ?? "").replaceAll("_", " ");
  if (kind === "approval") return `${QUESTIONS[verb] ?? `Question ${words}`}${OUTCOMES[outcome] ?? ""}`;
  return `${KINDS[kind] ?? kind} ${words}`;
}

/** Who acted: {text, title}. Without a person, the text states why there is none. */
export function actorText({ actor, erased, action }) {
  if (actor) {
    const kind = actor.kind && actor.kind !== "human" ? ` (${actor.kind})` : "";
    return { text: (actor.name ?? actor.subject) + kind, title: actor.subject ?? "" };
  }
  if (erased) return { text: "Erased", title: "The personal values of this entry were erased." };
  if (/^(?:approval|run)\./.test(action)) return { text: "The run", title: "No person is recorded for this entry." };
  return { text: "Configuration", title: "A file or a contract was changed, which does not name who changed it." };
}

/** What it is about: {text, href?} each. */
export function subjectsOf({ action, run_id: runId, approval_id: approvalId, item }) {
  const run = runId ? `#/runs/${encodeURIComponent(runId)}` : null;
  if (approvalId) return [{ text: approvalId, href: `${run}/decisions` }, { text: runId, href: run }];
  if (runId) return [{ text: runId, href: run }];
  if (!item) return [];
  const isOpen = action.startsWith("schedule.") && action !== "schedule.deleted";
  return [{ text: item, href: isOpen ? `#/schedules/${encodeURIComponent(item)}` : null }];
}
