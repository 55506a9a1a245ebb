// The autoscaler page, for deployment operators: backlog, slots, launches, cost and the scaling decisions of a task queue.
import { api, decisionsAddress } from "../data/api.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { amount, clock, full } from "../ui/format.js";
import { DecisionFeed } from "../data/decision-feed.js";
import { LinkState } from "../ui/link-state.js";
import { systemTabs } from "./page.js";
import { ScalePlot } from "./scale-plot.js";

const MAX_DECISIONS = 720;
const MAX_ROWS = 60;

export async function autoscalerPage({ query }) {
  const { queues } = await api.scaledQueues();
  const queue = query.get("queue") ?? queues[0]?.queue;
  const title = "Autoscaler";
  if (!queue) return { title, element: div("page", div("page-head", h("h1", {}, title)), systemTabs("autoscaler"), emptyText()) };
  const page = new AutoscalerPage(queue, queues.map((item) => item.queue));
  await page.load();
  return { title, element: page.element, close: () => page.close() };
}

class AutoscalerPage {
  #decisions = [];
  #feed = null;

  constructor(queue, queues) {
    this.queue = queue;
    this.problem = div("");
    this.tiles = new Tiles();
    this.plot = new ScalePlot((decision) => this.#point(decision));
    this.decisionList = h("ol", { class: "scaling-decisions", "aria-label": "Decisions, newest first" });
    this.showAll = h("input", { type: "checkbox", onchange: () => this.#list() });
    this.link = new LinkState();
    this.element = div("page autoscaler-page",
      div("page-head", h("h1", {}, "Autoscaler"), this.link.element), systemTabs("autoscaler"), queueLinks(queues, queue), this.problem, this.tiles.element,
      h("section", { class: "panel" }, h("h2", {}, "The last hour"), this.plot.element),
      h("section", { class: "panel" },
        div("panel-head", h("h2", {}, "Scaling decisions"), h("label", { class: "check" }, this.showAll, "Include repeated holds")),
        this.decisionList));
  }

  async load() {
    const { decisions } = await api.decisions(this.queue, MAX_DECISIONS);
    this.#decisions = decisions.reverse();
    this.#show();
    this.#feed = new DecisionFeed(decisionsAddress(this.queue), this.#decisions.at(-1)?.id ?? "", {
      decision: (decision) => this.#take(decision),
      state: (state) => this.link.set(state),
    });
  }

  close() {
    this.#feed?.close();
  }

  #take(decision) {
    this.#decisions.push(decision);
    if (this.#decisions.length > MAX_DECISIONS) this.#decisions.shift();
    this.#show();
  }

  #show() {
    this.tiles.show(this.#decisions.at(-1));
    this.plot.show(this.#decisions);
    this.#list();
  }

  /** Consecutive holds for the same reason are one row, unless all are shown. */
  #list() {
    const chosen = this.showAll.checked ? this.#decisions : this.#decisions.filter((one, at, all) => at === all.length - 1 || isChange(one, all[at - 1]));
    replace(this.decisionList, chosen.slice(-MAX_ROWS).reverse().map(row));
  }

  #point(decision) {
    for (const item of this.decisionList.children) item.toggleAttribute("data-pointed", item.dataset.id === decision.id);
  }
}

const isChange = (one, before) => one.action !== "hold" || one.binding !== before?.binding;

function row(one) {
  return h("li", { class: "scaling-decision", data: { id: one.id } },
    h("time", { datetime: one.at, title: full(one.at) }, clock(one.at)),
    span(`verb ${one.action}`, one.dry_run ? `dry run: ${one.action}` : one.action),
    span("sentence", sentence(one.sentence)));
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + ".";

class Tiles {
  constructor() {
    this.values = Object.fromEntries(["waits", "slots", "workers", "each", "drain", "money"].map((name) => [name, span("tile-value")]));
    const tile = (name, label) => h("div", { class: "tile" }, h("dt", {}, label), h("dd", {}, this.values[name]));
    this.element = h("dl", { class: "tiles" },
      tile("waits", "Backlog"), tile("slots", "Slots in use"), tile("workers", "Burst workers"),
      tile("each", "Activity duration"), tile("drain", "Estimated time to drain"), tile("money", "Reserved this hour"));
  }

  show(one) {
    if (!one) return;
    const coming = one.pending ? ` + ${amount(one.pending)} starting` : "";
    setText(this.values.waits, one.hint ? `${amount(one.backlog)} + ${amount(one.hint)} expected` : amount(one.backlog));
    setText(this.values.slots, `${amount(one.used)} of ${amount(one.capacity)}${coming}`);
    setText(this.values.workers, amount(one.workers));
    setText(this.values.each, one.service_s ? `${one.service_s < 10 ? one.service_s.toFixed(1) : Math.round(one.service_s)} s` : "unknown");
    setText(this.values.drain, one.predicted_drain_s == null ? "unknown" : one.predicted_drain_s === 0 ? "no backlog" : `${Math.round(one.predicted_drain_s)} s`);
    setText(this.values.money, money(one));
  }
}

function money(one) {
  const spent = one.spent_hour === "" ? "0" : String(Number(Number(one.spent_hour).toFixed(4)));
  return one.budget_hour === "" ? `${spent} ${one.currency}` : `${spent} of ${one.budget_hour} ${one.currency}`;
}

function queueLinks(queues, current) {
  if (queues.length < 2) return h("p", { class: "lead" }, "Task queue ", h("b", {}, current));
  const link = (name) => h("a", { href: `#/autoscaler?queue=${encodeURIComponent(name)}`, "aria-current": name === current ? "true" : null }, name);
  return h("nav", { class: "filters", "aria-label": "Task queue" }, queues.map(link));
}

function emptyText() {
  return h("p", { class: "empty" }, "There are no scaling decisions yet. The autoscaler handles a task queue once a worker on it sends heartbeats, or when its policy file names the queue.");
}
