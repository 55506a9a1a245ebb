// Short messages: toasts, announced to screen readers through live regions that exist from the first paint.
import { h, setText } from "./dom.js";
import { iconButton } from "./icons.js";

const SHOWN_MS = 6000;
const MAX_TOASTS = 3;

/** Announces a text to screen readers without showing it. */
export function announce(text) {
  const region = document.getElementById("announcer");
  setText(region, "");
  requestAnimationFrame(() => setText(region, text));
}

export function toast(text, { kind = "info" } = {}) {
  const dismiss = iconButton("Dismiss message", "cancel", () => card.remove());
  const card = h("div", { class: `toast toast-${kind}` }, h("p", {}, text), dismiss);
  const stack = document.getElementById("toasts");
  stack.append(card);
  while (stack.children.length > MAX_TOASTS) stack.firstElementChild.remove();
  if (kind === "error") setText(document.getElementById("alarm"), text);
  else announce(text);
  if (kind !== "error") setTimeout(() => card.remove(), SHOWN_MS);   // an error stays until it is dismissed
}

/** Removes the previous page's toasts; errors stay until they are dismissed. */
export function clearToasts() {
  for (const card of document.querySelectorAll(".toast:not(.toast-error)")) card.remove();
}

/** A problem as part of the page: the message and the fields it concerns. */
export function problemNotice(problem) {
  const items = problem.errors?.length
    ? h("ul", {}, problem.errors.map(({ field, message }) => h("li", {}, field ? [h("code", {}, field), " "] : null, message)))
    : null;
  return h("div", { class: "notice notice-error", role: "alert" }, h("p", {}, problem.message), items);
}
