// The schedules, and one of them: its next times, its latest runs, its input.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { problemNotice } from "../ui/announce.js";
import { dataView } from "../ui/data-view.js";
import { div, h, replace, span } from "../ui/dom.js";
import { fromHere } from "../ui/place.js";
import { scheduleControls } from "./controls.js";
import { exactTime, lastRunText, runSign, stateOf, timesOf } from "./times.js";

const EVERY_MS = 15_000;

export async function schedulesPage() {
  const problem = div("");
  const body = div("schedules-body");
  const load = async () => {
    const { schedules } = await api.schedules();
    replace(body, schedules.length ? listOf(schedules, load) : h("p", { class: "empty" }, "No schedules yet. A schedule starts runs of a pipeline at the times you choose."));
  };
  await load();
  const add = may("operator") ? h("a", { class: "button primary", href: "#/schedules/new" }, "New schedule") : null;
  return { title: "Schedules", element: div("page", div("page-head", h("h1", {}, "Schedules"), add), problem, body), close: refreshed(body, load, problem) };
}

function listOf(schedules, changed) {
  return h("ul", { class: "schedules" }, schedules.map((schedule) => h("li", { class: "schedule" },
    div("schedule-names",
      h("h2", {}, h("a", { href: addressOf(schedule.schedule_id) }, schedule.schedule_id)),
      span("schedule-text", `${schedule.title} · ${timesOf(schedule)}`)),
    div("schedule-state", stateOf(schedule), span("schedule-text", lastRunText(schedule)), schedule.next_at.length ? h("span", { class: "schedule-text" }, "next ", exactTime(schedule.next_at[0])) : null),
    scheduleControls(schedule, { changed }))));
}

export async function schedulePage({ parts: [id] }) {
  const problem = div("");
  const body = div("schedule-page");
  const load = async () => {
    const schedule = await api.schedule(id);
    replace(body, detailOf(schedule, load));
  };
  await load();
  const head = div("page-head", h("p", { class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules")));
  return { title: id, element: div("page", head, problem, body), close: refreshed(body, load, problem) };
}

function detailOf(schedule, changed) {
  const go = fromHere();
  const deleted = () => go("#/schedules");
  return [
    div("page-head", h("h1", {}, schedule.schedule_id), stateOf(schedule), scheduleControls(schedule, { changed, deleted })),
    schedule.problem ? h("p", { class: "notice notice-error" }, schedule.problem.detail) : null,
    schedule.last_error ? h("p", { class: "notice notice-error" }, "The last run failed: ", schedule.last_error.message) : null,
    div("schedule-parts", part("Next times", nextTimes(schedule)), part("Latest runs", latestRuns(schedule)), part("Settings", settings(schedule)),
      part("Input", dataView(schedule.input))),
  ];
}

function part(title, ...content) {
  return h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), content);
}

function nextTimes({ paused, note, next_at: times }) {
  if (paused) return h("p", {}, `Paused${note ? `: ${note}` : ""}. No runs start until it is resumed.`);
  return h("ol", { class: "lines" }, times.map((instant) => h("li", {}, exactTime(instant))));
}

function latestRuns({ runs }) {
  if (!runs.length) return h("p", { class: "hint" }, "No runs yet.");
  return h("ul", { class: "lines" }, runs.map(({ run_id: runId, scheduled_at: at, status }) => h("li", { class: "schedule-run" },
    runSign(status), status === "starting" ? span("run-id", runId) : h("a", { href: `#/runs/${encodeURIComponent(runId)}` }, exactTime(at)))));
}

const OVERLAPS = {
  skip: "Skip this start", buffer_one: "Start one run afterwards", buffer_all: "Start every run afterwards",
  cancel_other: "Cancel the open run first", allow_all: "Start in parallel",
};

function settings(schedule) {
  const rows = {
    Pipeline: h("a", { href: `#/start/${encodeURIComponent(schedule.pipeline)}` }, schedule.title), Times: timesOf(schedule),
    "While a run is open": OVERLAPS[schedule.overlap], Note: schedule.paused ? null : schedule.note || null, "Created by": schedule.created_by, "Changed by": schedule.updated_by,
    "Left out": schedule.skipped || null, Missed: schedule.missed || null,
  };
  const shown = Object.entries(rows).filter(([, value]) => value !== null);
  return h("dl", { class: "data" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/**
 * Reads again every few seconds, unless somebody uses the page: a control under the focus must not be replaced.
 * While that fails, `problem` says why what is shown may be out of date.
 */
function refreshed(body, load, problem) {
  const read = () => load().then(() => replace(problem), (error) => {
    if (error.status !== 401) replace(problem, problemNotice(error));
  });
  const timer = setInterval(() => { if (!document.hidden && !body.contains(document.activeElement)) read(); }, EVERY_MS);
  return () => clearInterval(timer);
}

const addressOf = (id) => `#/schedules/${encodeURIComponent(id)}`;
