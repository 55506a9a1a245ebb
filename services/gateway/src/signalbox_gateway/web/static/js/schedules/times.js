// When a schedule starts runs, and the state it is in, as text.
import { h } from "../ui/dom.js";
import { duration, full } from "../ui/format.js";
import { statusSign, statusWord } from "../ui/status.js";

/** "0 6 * * 1-5 · Europe/Berlin", or "every 2 h 00 min". */
export function timesOf({ cron, every_s: every, time_zone: zone }) {
  return every === null ? `${cron.join(" + ")} · ${zone}` : `every ${duration(every * 1000)}`;
}

export const exactTime = (instant) => h("time", { datetime: instant }, full(instant));

/** The state of a schedule: its problem, that it is paused, or that it starts runs. */
export function stateOf({ problem, paused }) {
  if (problem) return sign("blocked", "Cannot start");
  return paused ? sign("paused", "Paused") : sign("completed", "Active");
}

/** How the newest run of a schedule goes. */
export function lastRunText({ runs: [newest] }) {
  if (!newest) return "no runs yet";
  return `last run: ${newest.status === "starting" ? "starting" : statusWord(newest.status).toLowerCase()}`;
}

export function runSign(status) {
  return status === "starting" ? sign("queued", "Starting") : sign(status, statusWord(status));
}

function sign(status, text) {
  const { element, set } = statusSign(status);
  set(status, text);
  return element;
}
