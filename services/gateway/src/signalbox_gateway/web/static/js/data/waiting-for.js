// For whom a question waits, in words: only what its claim, its hand-over or its policy says. Pure.

// A timer that is set for longer ends at once.
const MAX_TIMER_MS = 2 ** 31 - 1;
const PREFIX = /^(?:key:|mailto:|group:)/;

/** A subject or group without what marks its kind: "group:legal" is "legal", "<issuer>#lan" is "lan". */
const plainName = (to) => to.replace(PREFIX, "").replace(/^https?:\/\/.*#/, "");

/**
 * Who is to answer a pending question: {name, subject}, or null if that is anybody.
 *
 * A claim says more than a hand-over, and that more than a policy that lets one person decide.
 */
export function awaited({ claim, handed_to: handedTo, people, policy }, now = Date.now()) {
  if (claim && Date.parse(claim.until) > now) return { name: claim.by.name ?? plainName(claim.by.subject), subject: claim.by.subject };
  const only = people ?? policy?.people ?? [];
  const to = handedTo ?? (only.length === 1 ? only[0] : null);
  return to ? { name: plainName(to), subject: to } : null;
}

/** The name of the one who is to answer all these questions; null if it is nobody in particular, or differs. "you" is `own`. */
export function awaitedName(questions, own = null, now = Date.now()) {
  const found = questions.map((question) => awaited(question, now));
  const [first] = found;
  if (!first || found.some((one) => one?.subject !== first.subject)) return null;
  return own && first.subject === own ? "you" : first.name;
}

/** The milliseconds until a claim of the run's questions has no effect any more; 0 without one. */
export function claimLeft({ approvals }, now = Date.now()) {
  const ends = approvals.filter(({ status, claim }) => status === "pending" && claim).map(({ claim }) => Date.parse(claim.until) - now);
  const open = ends.filter((left) => left > 0);
  return open.length ? Math.min(MAX_TIMER_MS, ...open) : 0;
}
