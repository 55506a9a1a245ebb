// The forms of /docs: each sends the request of an operation with the console's session and shows the reply.
import { changedNumber } from "../../../client/elements/number-rules.js";
import { BASE } from "../data/api.js";
import { session } from "../data/session.js";
import { h, replace } from "../ui/dom.js";

const TIMEOUT_MS = 30_000;
const MAX_SHOWN = 100_000;

export function prepareForms() {
  for (const form of document.querySelectorAll(".try-form")) {
    form.addEventListener("submit", (event) => { event.preventDefault(); submit(form); });
    const details = form.closest("details");
    details.addEventListener("toggle", () => { if (details.open) showSession(form); });
    details.hidden = false;
  }
}

function showSession(form) {
  const known = session();
  const output = form.querySelector("output");
  if (output.childElementCount) return;
  if (known) replace(output, h("p", { class: "hint" }, `Sent as ${known.name} of ${known.tenant}. The request takes effect.`));
  else replace(output, h("p", { class: "hint" }, "You are not signed in. ", signInLink(), " first, in this browser."));
}

const signInLink = () => h("a", { href: BASE }, "Sign in");

async function submit(form) {
  const output = form.querySelector("output");
  const button = form.querySelector("button");
  let request;
  try {
    request = requestOf(form);
  } catch (error) {
    replace(output, h("p", { class: "problem" }, error.message));
    return;
  }
  button.disabled = true;
  replace(output, h("p", {}, "Sending …"));
  try {
    await showReply(output, await fetch(request.address, request.options));
  } catch (error) {
    const text = error.name === "TimeoutError" ? "No reply for 30 s." : "The gateway does not respond. Try again.";
    replace(output, h("p", { class: "problem" }, text));
  } finally {
    button.disabled = false;
  }
}

function requestOf(form) {
  const headers = { Accept: "application/json" };
  const query = new URLSearchParams();
  let path = form.dataset.path;
  let body;
  for (const field of form.querySelectorAll("[data-place]")) {
    const { name, value } = field;
    if (field.dataset.place === "path") path = path.replace(`{${name}}`, value.split("/").map(encodeURIComponent).join("/"));
    else if (field.dataset.place === "query" && value) query.append(name, value);
    else if (field.dataset.place === "header" && value) headers[name] = value;
    else if (field.dataset.place === "body" && value.trim()) body = jsonOf(value);
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const search = query.size ? `?${query}` : "";
  const options = { method: form.dataset.method, headers, body, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) };
  return { address: BASE + path.slice(1) + search, options };
}

/** The text as it was typed, because a number may lose digits when it is read and written again. */
function jsonOf(text) {
  try { JSON.parse(text); } catch (error) { throw new Error(`The body is not JSON: ${error.message}`, { cause: error }); }
  return text;
}

async function showReply(output, reply) {
  const type = (reply.headers.get("content-type") ?? "").split(";")[0];
  const line = h("p", {}, h("code", {}, `${reply.status} ${reply.statusText}`.trim()), type ? ` ${type}` : "");
  if (!type) return replace(output, line);
  if (!/json|^text\//.test(type)) return replace(output, line, h("p", {}, `${(await reply.blob()).size} bytes`));
  const text = await reply.text();
  const shown = /json/.test(type) ? pretty(text) : text;
  const cut = shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}\n…` : shown;
  const more = reply.status === 401 ? h("p", {}, signInLink(), " and send the request again.") : null;
  return replace(output, line, more, h("pre", { tabindex: "0", "aria-label": "Reply" }, h("code", {}, cut)));
}

function pretty(text) {
  try { return changedNumber(text) === null ? JSON.stringify(JSON.parse(text), null, 2) : text; } catch { return text; }
}
