// The system: whether the gateway's dependencies respond, and what is set in this browser.
import { addressOf, api } from "../data/api.js";
import { may, session } from "../data/session.js";
import { canNotify, isNotifying, startNotifying, stopNotifying } from "../shell/notifications.js";
import { problemNotice, toast } from "../ui/announce.js";
import { div, h, outsideLink, replace } from "../ui/dom.js";
import { hasKeys, switchKeys } from "../ui/keys.js";
import { humane } from "../ui/format.js";
import { statusSign } from "../ui/status.js";
import { nextTheme } from "../ui/theme.js";
import { DestinationsPanel } from "./destinations.js";
import { fleetPanels } from "./fleet.js";

const EVERY_MS = 10_000;

export async function systemPage() {
  const health = h("section", { class: "panel", "aria-labelledby": "health-title" });
  const load = async () => {
    try { replace(health, h("h2", { id: "health-title" }, "Health"), healthTable(await api.health())); }
    catch (problem) { replace(health, h("h2", { id: "health-title" }, "Health"), problemNotice(problem)); }
  };
  const destinations = new DestinationsPanel();
  const fleet = fleetPanels();
  let isLoading = false;
  const loadAll = async () => {
    // With many task queues, or a slow Temporal, a read takes longer than the interval.
    if (isLoading) return;
    isLoading = true;
    try { await Promise.all([load(), destinations.load(), ...fleet.map((panel) => panel.load())]); }
    finally { isLoading = false; }
  };
  await loadAll();
  const timer = setInterval(() => { if (!document.hidden) loadAll(); }, EVERY_MS);
  const element = div("page", div("page-head", h("h1", {}, "System")), systemTabs("system"),
    div("system", health, destinations.element, fleet.map((panel) => panel.element), account(), browser()));
  return { title: "System", element, close: () => clearInterval(timer) };
}

/** The parts of the system that this principal may see. */
export function systemTabs(current) {
  if (!may("deployment_operator")) return null;
  const link = (name, href, text) => h("a", { href, "aria-current": name === current ? "page" : null }, text);
  return h("nav", { class: "tabs", "aria-label": "System" }, link("system", "#/system", "Overview"), link("autoscaler", "#/autoscaler", "Autoscaler"));
}

function healthTable({ status, dependencies }) {
  const words = { ok: "Everything responds", degraded: "Degraded: a dependency does not respond", unavailable: "Not ready" };
  const rows = Object.entries(dependencies ?? {}).map(([name, { ok, detail }]) => h("div", {},
    h("dt", {}, humane(name)), h("dd", {}, sign(ok), detail ? h("span", { class: "hint" }, ` ${detail}`) : null)));
  return [h("p", { class: "system-state" }, words[status] ?? status), h("dl", { class: "data" }, rows)];
}

function sign(ok) {
  const { element, set } = statusSign("completed");
  if (ok) set("completed", "Responds");
  else set("failed", "Does not respond");
  return element;
}

function account() {
  const { name, tenant, roles, temporal_ui_url: ui } = session() ?? {};
  const row = (title, ...value) => h("div", {}, h("dt", {}, title), h("dd", {}, value));
  const link = ui ? outsideLink(ui) : null;
  return h("section", { class: "panel", "aria-labelledby": "account-title" }, h("h2", { id: "account-title" }, "Signed in"),
    h("dl", { class: "data" }, row("Name", name), row("Tenant", tenant), row("Roles", (roles ?? []).join(", ")),
      row("API reference", h("a", { href: addressOf("/docs") }, "Open")), link ? row("Temporal", link) : null));
}

function browser() {
  const notify = h("input", { type: "checkbox", checked: isNotifying(), disabled: !canNotify(), onchange: () => setNotifying(notify) });
  const keys = h("input", { type: "checkbox", checked: hasKeys(), onchange: () => switchKeys(keys.checked) });
  const choice = (control, text, about) => div("field flag", h("label", {}, control, h("span", {}, text)), h("p", { class: "hint" }, about));
  return h("section", { class: "panel", "aria-labelledby": "browser-title" }, h("h2", { id: "browser-title" }, "This browser"),
    div("fields",
      choice(notify, "Notify me of new questions", "While the console is open and another window has the focus."),
      choice(keys, "Single-key shortcuts", "For example J and K in the inbox. Ctrl-K always opens the command palette."),
      h("p", {}, h("button", { type: "button", class: "button", onclick: nextTheme }, "Change theme"))));
}

async function setNotifying(box) {
  if (!box.checked) { stopNotifying(); return; }
  box.checked = await startNotifying();
  if (!box.checked) toast("The browser does not allow notifications for this page.", { kind: "error" });
}
