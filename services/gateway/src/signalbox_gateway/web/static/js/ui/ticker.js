// One timer for all running times and relative times on the page.
import { h, setText } from "./dom.js";
import { ago, duration, full } from "./format.js";

const OVERDUE = "overdue";

export function startTicking() {
  setInterval(tick, 1000);
}

function tick() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since]")) setText(element, running(element.dataset.since));
  for (const element of document.querySelectorAll("[data-ago]")) setText(element, ago(element.dataset.ago));
  for (const element of document.querySelectorAll("[data-until]")) setText(element, left(element.dataset.until));
  for (const element of document.querySelectorAll("[data-short]")) setText(element, short(element.dataset.short));
  for (const element of document.querySelectorAll("[data-left]")) setText(element, coarse(element.dataset.left));
  for (const element of document.querySelectorAll("[data-past]")) setText(element, past(element.dataset.past));
}

/** An instant as "2 minutes ago", updated every second; its title is the exact time. */
export function agoTime(instant, className = null) {
  return h("time", { class: className, datetime: instant, title: full(instant), data: { ago: instant } }, ago(instant));
}

/** A deadline as "4 min 12 s left", updated every second. Hidden from screen readers: add the deadline as text. */
export function leftTime(instant) {
  return h("time", { datetime: instant, title: full(instant), "aria-hidden": "true", data: { until: instant } }, left(instant));
}

/** A deadline as "4 min", updated every second. Hidden from screen readers: add the deadline as text. */
export function shortLeft(instant) {
  return h("time", { datetime: instant, title: full(instant), "aria-hidden": "true", data: { short: instant } }, short(instant));
}

/** A deadline as "2 h left", updated every second. Hidden from screen readers: add the deadline as text. */
export function coarseLeft(instant) {
  return h("time", { datetime: instant, title: full(instant), "aria-hidden": "true", data: { left: instant } }, coarse(instant));
}

/** An instant as "4 min ago", updated every second. */
export function shortAgo(instant) {
  return h("time", { datetime: instant, title: full(instant), data: { past: instant } }, past(instant));
}

function short(until) {
  const seconds = Math.ceil((Date.parse(until) - Date.now()) / 1000);
  return seconds <= 0 ? OVERDUE : rounded(seconds);
}

function coarse(until) {
  const text = short(until);
  return text === OVERDUE ? text : `${text} left`;
}

function past(instant) {
  const seconds = Math.floor((Date.now() - Date.parse(instant)) / 1000);
  return seconds < 10 ? "now" : `${rounded(seconds)} ago`;
}

function rounded(seconds) {
  const [size, unit] = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([one]) => seconds >= one);
  return `${Math.floor(seconds / size)} ${unit}`;
}

function left(until) {
  const ms = Date.parse(until) - Date.now();
  return ms > 0 ? `${ms < 10_000 ? `${Math.ceil(ms / 1000)} s` : duration(ms)} left` : "time is up";
}

/** Whole seconds, because tenths would flicker. */
export function running(from) {
  const ms = Math.max(0, Date.now() - Date.parse(from));
  return ms < 10_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}
