// Short messages: shown as toasts, spoken through live regions that exist from the first paint.
import { h, setText } from "./dom.js";
import { iconButton } from "./icons.js";

const SHOWN_MS = 6000;
const SHOWN_AT_ONCE = 3;

/** Speak without showing. */
export function say(text) {
  const region = document.getElementById("announcer");
  setText(region, "");
  requestAnimationFrame(() => setText(region, text));
}

export function toast(text, { kind = "info" } = {}) {
  const dismiss = iconButton("Dismiss message", "cancel", () => card.remove());
  const card = h("div", { class: `toast toast-${kind}` }, h("p", {}, text), dismiss);
  const stack = document.getElementById("toasts");
  stack.append(card);
  while (stack.children.length > SHOWN_AT_ONCE) stack.firstElementChild.remove();
  if (kind === "error") setText(document.getElementById("alarm"), text);
  else say(text);
  if (kind !== "error") setTimeout(() => card.remove(), SHOWN_MS);   // an error stays until it is read
}

/** What was said of the page before is old news on the next; errors stay until they are read. */
export function clearToasts() {
  for (const card of document.querySelectorAll(".toast:not(.toast-error)")) card.remove();
}

/** A problem in place: title, what to do, and which fields. */
export function problemNotice(problem) {
  const items = problem.errors?.length
    ? h("ul", {}, problem.errors.map(({ field, message }) => h("li", {}, field ? [h("code", {}, field), " "] : null, message)))
    : null;
  return h("div", { class: "notice notice-error", role: "alert" }, h("p", {}, problem.message), items);
}
