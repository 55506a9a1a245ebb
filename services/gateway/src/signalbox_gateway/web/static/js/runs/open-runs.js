// What the list shows of runs beyond the server's list: how far they are, and whether they wait for a person. Read from the
// first page of the inbox, and kept current by the stream, which also knows the questions that are not on that page.

// Enough for all open runs that a stream reports; of older ones the list shows no steps.
const MAX_KNOWN = 5000;

export class OpenRuns {
  #known = new Map();

  /** Applies a snapshot; returns {waiting, until, questions} if these differ from those of the previous snapshot, else null. */
  take(snapshot) {
    const { run_id: runId, steps, approvals } = snapshot;
    const wait = waitOf(approvals.filter((approval) => approval.status === "pending"));
    const before = this.#known.get(runId);
    this.#known.delete(runId);
    this.#known.set(runId, { steps: stepsOf(steps), wait });
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value);
    return JSON.stringify(before?.wait) === JSON.stringify(wait) ? null : wait;
  }

  /** [run id, {waiting, until, questions}] of every run that waits, for a new listing: `take` returns what has changed alone. */
  waits() { return [...this.#known].map(([runId, { wait }]) => [runId, wait]).filter(([, { waiting }]) => waiting); }

  /** {done, total, percent} of a run; null while unknown. */
  progressOf(runId) { return this.#known.get(runId)?.steps ?? null; }
}

/** Adds to the server's runs whether they wait for a person, by the questions of the inbox. */
export function withWaits(runs, approvals) {
  const questions = Map.groupBy(approvals, (item) => item.run_id);
  return runs.map((run) => ({ ...run, ...waitOf(questions.get(run.run_id) ?? []) }));
}

function waitOf(questions) {
  const [until = null] = questions.map((item) => item.deadline_at).filter(Boolean).sort();
  return { waiting: questions.length > 0, until, questions: questions.map(askedOf) };
}

/** The members of a question that `awaitedName` reads, of a snapshot or of the inbox. */
function askedOf({ claim = null, handed_to = null, people, policy }) {
  return { claim, handed_to, people: people ?? policy?.people ?? [] };
}

function stepsOf(steps) {
  if (!steps.length) return null;
  const done = steps.filter((step) => step.status === "completed").length;
  const current = steps.find((step) => step.status === "running")?.percent ?? 0;
  return { done, total: steps.length, percent: ((done + Math.min(100, current) / 100) / steps.length) * 100 };
}
