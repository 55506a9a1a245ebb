// Which page an address shows.
import { Problem } from "./data/api.js";
import { pipelinesPage } from "./pipelines/page.js";
import { runsPage } from "./runs/page.js";
import { div, h } from "./ui/dom.js";

let questionPages = null;

/** Loads the inbox and the page of a run, once. */
export function loadQuestionPages() {
  questionPages ??= import("./question-pages.js").catch((error) => { questionPages = null; throw error; });
  return questionPages;
}

/** A page of a script that is loaded when it is opened, so that a first visit stays small. */
const later = (load, name) => async (route) => {
  const module = await load().catch(() => {
    throw new Problem({ code: "not_loaded", detail: "This page could not be loaded. Reload the console; it may have been updated." });
  });
  return module[name](route);
};

const inboxPage = later(loadQuestionPages, "inboxPage");
const runPage = later(loadQuestionPages, "runPage");
const startPage = later(() => import("./pipelines/start.js"), "startPage");
const systemPage = later(() => import("./system/page.js"), "systemPage");
const passkeys = later(() => import("./passkeys/page.js"), "passkeysPage");
const autoscaler = later(() => import("./system/autoscaler.js"), "autoscalerPage");
const schedules = later(() => import("./schedules/page.js"), "schedulesPage");
const schedule = later(() => import("./schedules/page.js"), "schedulePage");
const activity = later(() => import("./activity/page.js"), "activityPage");
const newSchedule = later(() => import("./schedules/create.js"), "newSchedulePage");
const backfill = later(() => import("./schedules/backfill.js"), "backfillPage");

// A page that handles `navigate` stays while only the parts after the key change, for example the tab of a run.
const ROUTES = [
  { pattern: /^\/?$/, section: "runs", page: runsPage, key: () => "runs" },
  { pattern: /^\/inbox(?:\/([^/]+)\/([^/]+))?$/, section: "inbox", page: inboxPage, key: () => "inbox" },
  { pattern: /^\/approvals$/, section: "inbox", page: inboxPage, key: () => "inbox" },
  { pattern: /^\/(?:pipelines|start)$/, section: "pipelines", page: pipelinesPage },
  { pattern: /^\/start\/([^/]+)$/, section: "pipelines", page: startPage },
  { pattern: /^\/runs\/([^/]+)(?:\/([a-z]+))?$/, section: "runs", page: runPage, key: ([run]) => `runs/${run}` },
  { pattern: /^\/passkeys$/, section: "", page: passkeys },
  { pattern: /^\/schedules$/, section: "schedules", page: schedules },
  { pattern: /^\/schedules\/new$/, section: "schedules", page: newSchedule },
  { pattern: /^\/schedules\/([^/]+)$/, section: "schedules", page: schedule },
  { pattern: /^\/schedules\/([^/]+)\/backfill$/, section: "schedules", page: backfill },
  { pattern: /^\/activity$/, section: "activity", page: activity, key: () => "activity" },
  { pattern: /^\/system$/, section: "system", page: systemPage },
  { pattern: /^\/autoscaler$/, section: "system", page: autoscaler },
];

/** {section, page, parts, query, key, text} for a place; `text` differs when anything but the dialog does. */
export function findRoute({ path, query }) {
  const text = `${path}?${query}`;
  for (const { pattern, section, page, key } of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    const parts = decoded(match.slice(1));
    if (parts) return { section, page, parts, query, text, key: key ? key(parts) : text };
  }
  return { section: "", page: missingPage, parts: [], query, text, key: text };
}

/** The parts of an address; null if one of them is malformed, as `%E0` is. */
function decoded(parts) {
  try { return parts.map((part) => part && decodeURIComponent(part)); } catch { return null; }
}

function missingPage() {
  const more = h("p", {}, h("a", { href: "#/" }, "All runs"));
  return { title: "Not found", element: div("page narrow", h("h1", {}, "Page not found"), more) };
}
