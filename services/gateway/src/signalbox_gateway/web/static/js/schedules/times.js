// When a schedule starts runs, and the state it is in, as text.
import { h } from "../ui/dom.js";
import { duration, full } from "../ui/format.js";
import { statusSign, statusWord } from "../ui/status.js";

/** "0 6 * * 1-5 · Europe/Berlin", or "every 2 h 00 min". */
export function timesOf({ cron, every_s: every, time_zone: zone }) {
  return every === null ? `${cron.join(" + ")} · ${zone}` : `every ${duration(every * 1000)}`;
}

export const exactTime = (instant) => h("time", { datetime: instant }, full(instant));

/** The state of a schedule: its problem, that it is paused, or how its newest run goes. */
export function stateOf({ problem, paused, runs }) {
  if (problem) return sign("blocked", "Cannot start");
  if (paused) return sign("paused", "Paused");
  return runs.length ? runSign(runs[0].status) : sign("queued", "No runs yet");
}

export function runSign(status) {
  return status === "starting" ? sign("queued", "Starting") : sign(status, statusWord(status));
}

function sign(status, text) {
  const { element, set } = statusSign(status);
  set(status, text);
  return element;
}
