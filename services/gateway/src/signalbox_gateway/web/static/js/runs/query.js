// The search text of the list of runs: `status:failed by:lan started:7d coffee`. The server applies it (docs/find.md);
// runs that the stream reports before the server lists them are compared here. Pure.
import { hasEnded } from "../data/fold.js";

/** States in which a run can be; the server searches for those that its index has, the others are filtered here. */
export const STATES = ["running", "waiting", "blocked", "queued", "completed", "failed", "cancelled", "terminated", "timed_out"];
const KEYS = ["status", "pipeline", "by"];
const SERVER_KEY = /^[a-z][a-z0-9_.]*:(?!\/\/)/i;
const ABOUT = {
  status: "state of the run", pipeline: "its pipeline", by: "who started it", tag: "its tag", started: "when it started", ended: "when it ended",
  error: "error code of a failed run", step: "step in which it failed",
};
const TIMES = [["1h", "the last hour"], ["24h", "the last day"], ["7d", "the last 7 days"], ["30d", "the last 30 days"]];
const TOKEN = /(?:[^\s"]|"[^"]*")+/g;

/**
 * {status, pipeline, by, words}: lists of lower-case words; a text in quotation marks is one word. `others`: the tokens
 * that only the server can apply. A key without a value is left out.
 */
export function parseQuery(text) {
  const query = { status: [], pipeline: [], by: [], words: [], others: [] };
  for (const token of text.match(TOKEN) ?? []) {
    const at = token.indexOf(":");
    const key = token.slice(0, at).toLowerCase();
    if (SERVER_KEY.test(token) && !KEYS.includes(key)) {
      if (token.length > at + 1) query.others.push(token);
      continue;
    }
    const value = bare(KEYS.includes(key) ? token.slice(at + 1) : token);
    if (value) query[KEYS.includes(key) ? key : "words"].push(value);
  }
  return query;
}

const bare = (text) => text.replaceAll('"', "").toLowerCase();

// Open runs in a state that the server cannot filter by.
const KINDS_OF_OPEN = new Set(["waiting", "blocked", "queued"]);

/** The search that is sent to the server. */
export function serverFilter({ status, pipeline, by, words, others }) {
  const states = new Set(status.map((state) => (KINDS_OF_OPEN.has(state) ? "running" : state)));
  const parts = [
    ...[...states].map((state) => `status:${state}`), ...pipeline.map((name) => `pipeline:${name}`),
    ...by.map((name) => `by:${quoted(name)}`), ...others, ...words.map(quoted),
  ];
  return parts.length > 0 ? { q: parts.join(" ") } : {};
}

const quoted = (value) => (/[\s:]/.test(value) ? `"${value}"` : value);

/** Whether the server cannot apply the whole query, so that some of its rows are left out here. */
export const isNarrowed = ({ status }) => status.some((state) => KINDS_OF_OPEN.has(state));

/** Whether a run that the server has listed still belongs to the list: only its state changes. */
export const stillMatches = (query, run) => some(query.status, (status) => hasStatus(run, status));

/** Whether a run that the server has not listed yet belongs to the list. Paused and queued runs count as running. */
export function matches(query, run) {
  if (query.others.length > 0) return false;
  const all = [run.run_id, run.pipeline, run.subject, run.started_by, ...(run.tags ?? [])].filter(Boolean).join(" ").toLowerCase();
  return stillMatches(query, run) && some(query.pipeline, (name) => run.pipeline === name)
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
 * known: {pipeline: [[name, title]], by: [[name]], tag: [[name]], find: [name]}.
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
    const fields = (known.find ?? []).map((name) => [`find.${name}:`, "field of the input"]);
    const keys = [...Object.entries(ABOUT).map(([key, about]) => [`${key}:`, about]), ...fields];
    return keys.filter(([key]) => key.startsWith(token)).map(([key, about]) => complete(key, about, ""));
  }
  const key = token.slice(0, at);
  const choices = { status: STATES.map((state) => [state]), started: TIMES, ended: TIMES, ...known, find: [] };
  const values = choices[key] ?? [];
  const begun = token.slice(at + 1).replaceAll('"', "");
  return values.filter(([value]) => value.toLowerCase().includes(begun))
    .map(([value, about = ""]) => complete(`${key}:${quoted(value)}`, about, " "));
}
