// Formats times, durations, sizes and names for people.

export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return "";
  if (ms < 100) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The time from `from` to `to`, or to now without `to`. */
export function elapsed(from, to) {
  return from ? duration((to ? Date.parse(to) : Date.now()) - Date.parse(from)) : "";
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [Infinity, "day", 86_400]];

export function ago(instant) {
  const seconds = (Date.parse(instant) - Date.now()) / 1000;
  if (Math.abs(seconds) < 10) return "just now";
  const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return relative.format(Math.round(seconds / size), unit);
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const fullFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
export const clock = (instant) => clockFormat.format(new Date(instant));
export const full = (instant) => fullFormat.format(new Date(instant));

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** `text_contrast` → `Text contrast`, for names without a title. */
export function humane(name) {
  const words = String(name).replace(/[_-]+/g, " ").trim();
  return sized(words.charAt(0).toUpperCase() + words.slice(1));
}

/** `300x250` → `300 × 250`, anywhere in a text. */
export const sized = (text) => text.replace(/\b(\d{2,5})x(\d{2,5})\b/g, "$1\u00a0×\u00a0$2");

export const number = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toFixed(2))));
/** Groups the thousands of an amount. Works on text, because exact amounts may exceed the precision of a number. */
export const amount = (text) => String(text).replace(/^(-?)(\d+)/, (_, sign, digits) => (sign ? "\u2212" : "") + inThousands(digits));
const inThousands = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, "\u202f");
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
