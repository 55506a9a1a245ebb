// Which page an address shows.
import { inboxPage } from "./inbox/page.js";
import { pipelinesPage } from "./pipelines/page.js";
import { runPage } from "./run/page.js";
import { runsPage } from "./runs/page.js";
import { div, h } from "./ui/dom.js";

// Loaded when they are opened, so that a first visit stays small.
const startPage = async (route) => (await import("./pipelines/start.js")).startPage(route);
const systemPage = async (route) => (await import("./system/page.js")).systemPage(route);
const autoscaler = async (route) => (await import("./system/autoscaler.js")).autoscalerPage(route);
const schedules = async (route) => (await import("./schedules/page.js")).schedulesPage(route);
const schedule = async (route) => (await import("./schedules/page.js")).schedulePage(route);
const newSchedule = async (route) => (await import("./schedules/create.js")).newSchedulePage(route);

// A page that handles `navigate` stays while only the parts after the key change, for example the tab of a run.
const ROUTES = [
  { pattern: /^\/?$/, section: "runs", page: runsPage, key: () => "runs" },
  { pattern: /^\/inbox(?:\/([^/]+)\/([^/]+))?$/, section: "inbox", page: inboxPage, key: () => "inbox" },
  { pattern: /^\/approvals$/, section: "inbox", page: inboxPage, key: () => "inbox" },
  { pattern: /^\/(?:pipelines|start)$/, section: "pipelines", page: pipelinesPage },
  { pattern: /^\/start\/([^/]+)$/, section: "pipelines", page: startPage },
  { pattern: /^\/runs\/([^/]+)(?:\/([a-z]+))?$/, section: "runs", page: runPage, key: ([run]) => `runs/${run}` },
  { pattern: /^\/schedules$/, section: "schedules", page: schedules },
  { pattern: /^\/schedules\/new$/, section: "schedules", page: newSchedule },
  { pattern: /^\/schedules\/([^/]+)$/, section: "schedules", page: schedule },
  { pattern: /^\/system$/, section: "system", page: systemPage },
  { pattern: /^\/autoscaler$/, section: "system", page: autoscaler },
];

/** {section, page, parts, query, key, text} for a place; `text` differs when anything but the dialog does. */
export function findRoute({ path, query }) {
  const text = `${path}?${query}`;
  for (const { pattern, section, page, key } of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    const parts = match.slice(1).map((part) => part && decodeURIComponent(part));
    return { section, page, parts, query, text, key: key ? key(parts) : text };
  }
  return { section: "", page: missingPage, parts: [], query, text, key: text };
}

function missingPage() {
  const more = h("p", {}, h("a", { href: "#/" }, "All runs"));
  return { title: "Not found", element: div("page narrow", h("h1", {}, "Page not found"), more) };
}
