// The task queues and workers, for operators of the deployment, and the API keys of the tenant, for its admins.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { problemNotice } from "../ui/announce.js";
import { h, replace } from "../ui/dom.js";
import { duration } from "../ui/format.js";
import { agoTime } from "../ui/ticker.js";

/** The panels that the role permits. */
export function fleetPanels() {
  return [
    may("deployment_operator") && new TablePanel("queues", "Task queues", QUEUES, async () => (await api.taskQueues()).queues),
    may("deployment_operator") && new TablePanel("workers", "Workers", WORKERS, async () => (await api.workers()).workers),
    may("admin") && new TablePanel("keys", "API keys", KEYS, async () => (await api.apiKeys()).keys),
  ].filter(Boolean);
}

const ago = (at) => (at ? agoTime(at) : "–");
const QUEUES = {
  empty: "No pipeline is installed.",
  columns: ["Queue", "Backlog", "Oldest", "Pollers", "Last poll"],
  cells: (one) => [one.queue, one.activities + one.workflow_tasks, one.oldest_s ? duration(one.oldest_s * 1000) : "–", one.pollers, ago(one.polled_at)],
};
const WORKERS = {
  empty: "No worker has sent a heartbeat in the last three minutes.",
  columns: ["Worker", "Queue", "Build", "Slots used", "Heartbeat"],
  cells: (one) => [
    [one.identity, one.status === "stopping" ? h("span", { class: "hint" }, " stopping") : null],
    one.queue, one.build ?? "–", `${one.used} of ${one.slots}`, ago(one.heartbeat_at),
  ],
};
const KEYS = {
  empty: "The tenant has no API key.",
  columns: ["Key", "Kind", "Roles", "Created", "Expires"],
  cells: (one) => [[one.name, h("span", { class: "hint" }, ` ${one.id}`)], one.kind, one.roles.join(", "), ago(one.created_at), expiry(one.expires_at)],
};

function expiry(at) {
  if (!at) return "never";
  return [Date.parse(at) < Date.now() ? "expired " : "", agoTime(at)];
}

class TablePanel {
  constructor(name, title, kind, read) {
    Object.assign(this, { kind, read, name });
    this.body = h("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": `${title}, table` });
    this.element = h("section", { class: "panel wide", "aria-labelledby": `${name}-title` }, h("h2", { id: `${name}-title` }, title), this.body);
  }

  async load() {
    try { replace(this.body, this.#table(await this.read())); }
    catch (problem) { replace(this.body, problemNotice(problem)); }
  }

  #table(rows) {
    const { columns, cells, empty } = this.kind;
    if (!rows.length) return h("p", { class: "hint" }, empty);
    const row = (one) => h("tr", {}, cells(one).map((cell, index) => (index ? h("td", {}, cell) : h("th", { scope: "row" }, cell))));
    return h("table", { class: "table", "aria-labelledby": `${this.name}-title` },
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))), h("tbody", {}, rows.map(row)));
  }
}
