// The search text of the list of runs: `status:failed pipeline:ad_creative by:lan coffee`. Pure.
import { hasEnded } from "../data/fold.js";

/** States in which a run can be; the server filters by those it knows, the others are filtered here. */
export const STATES = ["running", "waiting", "blocked", "queued", "completed", "failed", "cancelled", "terminated", "timed_out"];
const KEYS = ["status", "pipeline", "by"];
const TOKEN = /(?:[^\s"]|"[^"]*")+/g;

/** {status, pipeline, by, words}: lists of lower-case words; a text in quotation marks is one word. */
export function parseQuery(text) {
  const query = { status: [], pipeline: [], by: [], words: [] };
  for (const token of text.match(TOKEN) ?? []) {
    const at = token.indexOf(":");
    const key = token.slice(0, at).toLowerCase();
    const value = bare(KEYS.includes(key) ? token.slice(at + 1) : token);
    if (value) query[KEYS.includes(key) ? key : "words"].push(value);
  }
  return query;
}

const bare = (text) => text.replaceAll('"', "").toLowerCase();

// Open runs in a state that the server cannot filter by.
const KINDS_OF_OPEN = new Set(["waiting", "blocked", "queued"]);

/** What the server is asked for: it filters by one status and by one pipeline. */
export function serverFilter({ status, pipeline }) {
  const filter = {};
  if (status.length === 1) filter.status = KINDS_OF_OPEN.has(status[0]) ? "running" : status[0];
  if (pipeline.length === 1) filter.pipeline = pipeline[0];
  return filter;
}

/** Whether the server cannot apply the whole query, so that some of its rows are left out here. */
export const isNarrowed = ({ status, pipeline, by, words }) =>
  by.length + words.length > 0 || status.length > 1 || pipeline.length > 1 || status.some((state) => KINDS_OF_OPEN.has(state));

/** Whether a run belongs to the list. Paused and queued runs count as running, as on the server. */
export function matches(query, run) {
  const all = [run.run_id, run.pipeline, run.subject, run.started_by].filter(Boolean).join(" ").toLowerCase();
  return some(query.status, (status) => hasStatus(run, status)) && some(query.pipeline, (name) => run.pipeline === name)
    && some(query.by, (name) => (run.started_by ?? "").toLowerCase().includes(name))
    && query.words.every((word) => all.includes(word));
}

const some = (values, test) => values.length === 0 || values.some(test);

function hasStatus(run, status) {
  if (status === "running") return !hasEnded(run);
  if (KINDS_OF_OPEN.has(status)) return !hasEnded(run) && (Boolean(run[status]) || run.status === status);
  return run.status === status;
}

/** The query's text with one status, or without any. */
export function withStatus(text, status) {
  const others = (text.match(TOKEN) ?? []).filter((token) => !token.toLowerCase().startsWith("status:"));
  return [...(status ? [`status:${status}`] : []), ...others].join(" ");
}

/**
 * Completions for the token that ends at `caret`: {text, caret, label, about}.
 *
 * known: {pipeline: [[name, title]], by: [[name]]}.
 */
export function completions(text, caret, known) {
  const start = text.lastIndexOf(" ", caret - 1) + 1;
  const token = text.slice(start, caret).toLowerCase();
  const at = token.indexOf(":");
  const complete = (word, about, more) => {
    const before = text.slice(0, start) + word + more;
    return { text: before + text.slice(caret).trimStart(), caret: before.length, label: word, about };
  };
  if (at === -1) {
    const keys = [["status:", "state of the run"], ["pipeline:", "its pipeline"], ["by:", "who started it"]];
    return keys.filter(([key]) => key.startsWith(token)).map(([key, about]) => complete(key, about, ""));
  }
  const key = token.slice(0, at);
  const values = key === "status" ? STATES.map((state) => [state]) : known[key] ?? [];
  const begun = token.slice(at + 1).replaceAll('"', "");
  const quoted = (value) => (/\s/.test(value) ? `"${value}"` : value);
  return values.filter(([value]) => value.toLowerCase().includes(begun))
    .map(([value, about = ""]) => complete(`${key}:${quoted(value)}`, about, " "));
}
