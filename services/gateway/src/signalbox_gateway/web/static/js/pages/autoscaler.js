// The autoscaler, for deployment operators: per task queue what waits, the slots, the launches, the money, and each decision in a sentence.
import { api, decisionsPath } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, setText, span } from "../dom.js";
import { amount, clock, full } from "../format.js";
import { DecisionFeed } from "../parts/decision-feed.js";
import { ScalePlot } from "../parts/scale-plot.js";

const KEPT = 720;
const SHOWN = 60;

export async function autoscalerPage({ query }) {
  const { queues } = await api.scaledQueues();
  const queue = query.get("queue") ?? queues[0]?.queue;
  const title = "Autoscaler";
  if (!queue) return { title, element: div("page", h("h1", {}, title), emptyText()) };
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
    this.said = h("ol", { class: "decisions", "aria-label": "Decisions, newest first" });
    this.quiet = h("input", { type: "checkbox", onchange: () => this.#list() });
    this.state = span("feed-state");
    this.element = div("page",
      div("page-head", h("h1", {}, "Autoscaler"), this.state), queueLinks(queues, queue), this.problem, this.tiles.element,
      h("section", { class: "panel" }, h("h2", {}, "The last hour"), this.plot.element),
      h("section", { class: "panel" },
        div("panel-head", h("h2", {}, "What was decided, and why"), h("label", { class: "check" }, this.quiet, "Also when nothing was done")),
        this.said));
  }

  async load() {
    const { decisions } = await api.decisions(this.queue, KEPT);
    this.#decisions = decisions.reverse();
    this.#show();
    this.#feed = new DecisionFeed(decisionsPath(this.queue), this.#decisions.at(-1)?.id ?? "", {
      decision: (decision) => this.#take(decision),
      state: (live) => setText(this.state, live ? "Live" : "Reconnecting …"),
    });
  }

  close() {
    this.#feed?.close();
  }

  #take(decision) {
    this.#decisions.push(decision);
    if (this.#decisions.length > KEPT) this.#decisions.shift();
    this.#show();
  }

  #show() {
    this.tiles.show(this.#decisions.at(-1));
    this.plot.show(this.#decisions);
    this.#list();
  }

  /** Nothing done again and again for the same reason is one line, unless all are asked for. */
  #list() {
    const chosen = this.quiet.checked ? this.#decisions : this.#decisions.filter((one, at, all) => at === all.length - 1 || isNews(one, all[at - 1]));
    replace(this.said, chosen.slice(-SHOWN).reverse().map(row));
  }

  #point(decision) {
    for (const item of this.said.children) item.toggleAttribute("data-pointed", item.dataset.id === decision.id);
  }
}

const isNews = (one, before) => one.action !== "hold" || one.binding !== before?.binding;

function row(one) {
  return h("li", { class: "decision", data: { id: one.id } },
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
      tile("waits", "Tasks that wait"), tile("slots", "Slots in use"), tile("workers", "Burst workers"),
      tile("each", "An activity takes"), tile("drain", "Done in about"), tile("money", "Set aside this hour"));
  }

  show(one) {
    if (!one) return;
    const coming = one.pending ? ` + ${amount(one.pending)} coming` : "";
    setText(this.values.waits, one.hint ? `${amount(one.backlog)} + ${amount(one.hint)} to come` : amount(one.backlog));
    setText(this.values.slots, `${amount(one.used)} of ${amount(one.capacity)}${coming}`);
    setText(this.values.workers, amount(one.workers));
    setText(this.values.each, one.service_s ? `${one.service_s < 10 ? one.service_s.toFixed(1) : Math.round(one.service_s)} s` : "not known yet");
    setText(this.values.drain, one.predicted_drain_s == null ? "not foreseeable" : one.predicted_drain_s === 0 ? "nothing waits" : `${Math.round(one.predicted_drain_s)} s`);
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
  return h("p", { class: "empty" }, "The autoscaler has decided about no task queue yet. It begins with the first worker that beats, or with the queues of its policy file.");
}
