// The pipelines: what each does, how its last runs went, and a way to start it.
import { api } from "../data/api.js";
import { hasEnded } from "../data/fold.js";
import { div, h, replace, span } from "../ui/dom.js";
import { agoTime } from "../ui/ticker.js";
import { duration, plural } from "../ui/format.js";

const LAST = 20;

export async function pipelinesPage() {
  const { pipelines } = await api.pipelines();
  const none = h("p", { class: "empty" }, "No pipelines are installed. Install one on the gateway and the workers, then reload this page.");
  const list = pipelines.length ? h("ul", { class: "pipelines" }, pipelines.map(card)) : none;
  return { title: "Pipelines", element: div("page", div("page-head", h("h1", {}, "Pipelines")), list) };
}

function card(pipeline) {
  const bars = h("span", { class: "bars", "aria-hidden": "true" });
  const facts = span("pipeline-facts", "\u00a0");
  showLast(pipeline.name, bars, facts);
  return h("li", {}, h("a", { class: "pipeline", href: `#/start/${encodeURIComponent(pipeline.name)}` },
    span("pipeline-title", pipeline.title), span("pipeline-text", pipeline.description), bars, facts));
}

/** Reads the last runs of a pipeline; without them, the card stays as it is. */
async function showLast(name, bars, facts) {
  let runs;
  try { ({ runs } = await api.runs({ pipeline: name, limit: String(LAST) })); } catch { return; }
  const longest = Math.max(1, ...runs.map(took));
  replace(bars, [...runs].reverse().map((run) => {
    const bar = h("i", { data: { status: run.status } });
    bar.style.setProperty("--high", `${Math.max(20, Math.round((took(run) / longest) * 100))}%`);
    return bar;
  }));
  replace(facts, factsOf(runs));
}

const took = ({ started_at: from, ended_at: to }) => (to ? Date.parse(to) - Date.parse(from) : 0);

function factsOf(runs) {
  if (runs.length === 0) return "No runs yet";
  const ended = runs.filter(hasEnded);
  const completed = ended.filter((run) => run.status === "completed");
  const times = completed.map(took).sort((one, other) => one - other);
  return [
    ended.length ? h("span", {}, `${completed.length} of the last ${ended.length} completed`) : plural(runs.length, "open run"),
    times.length ? h("span", {}, `median ${duration(times[Math.floor((times.length - 1) / 2)])}`) : null,
    h("span", {}, "last ", agoTime(runs[0].started_at)),
  ];
}
