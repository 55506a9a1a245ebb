// For whom a question waits, in words: only what its claim, its hand-over or its policy says. Pure.

// setTimeout fires at once for a longer delay.
const MAX_TIMER_MS = 2 ** 31 - 1;
const PREFIX = /^(?:key:|mailto:|group:)/;

/** A subject or group without the prefix of its kind: "group:legal" is "legal", "<issuer>#lan" is "lan". */
const plainName = (to) => to.replace(PREFIX, "").replace(/^https?:\/\/.*#/, "");

/**
 * Who is to answer a pending question: {name, subject}, or null if anybody may.
 *
 * A claim takes precedence over a hand-over, and a hand-over over a policy that lets only one person decide.
 */
export function awaited({ claim, handed_to: handedTo, people, policy }, now = Date.now()) {
  if (claim && Date.parse(claim.until) > now) return { name: claim.by.name ?? plainName(claim.by.subject), subject: claim.by.subject };
  const only = people ?? policy?.people ?? [];
  const to = handedTo ?? (only.length === 1 ? only[0] : null);
  return to ? { name: plainName(to), subject: to } : null;
}

/** Who is to answer all these questions, by name, "you" for the subject `own`; null if that is nobody in particular, or differs. */
export function awaitedName(questions, own = null, now = Date.now()) {
  const found = questions.map((question) => awaited(question, now));
  const [first] = found;
  if (!first || found.some((one) => one?.subject !== first.subject)) return null;
  return own && first.subject === own ? "you" : first.name;
}

/** The milliseconds until the first claim on the run's questions expires; 0 without one. */
export function claimLeft({ approvals }, now = Date.now()) {
  const ends = approvals.filter(({ status, claim }) => status === "pending" && claim).map(({ claim }) => Date.parse(claim.until) - now);
  const open = ends.filter((left) => left > 0);
  return open.length ? Math.min(MAX_TIMER_MS, ...open) : 0;
}
