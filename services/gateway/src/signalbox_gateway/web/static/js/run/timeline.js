// The waterfall of a run: a bar for each attempt of a step, hatched where the run waits.
import { hasEnded } from "../data/fold.js";
import { traceLine } from "../late.js";
import { arrange, h, replace, span } from "../ui/dom.js";
import { duration } from "../ui/format.js";
import { statusDot, statusWord } from "../ui/status.js";
import { foldedRanges } from "./step-folding.js";
import { isTimed, timelineOf } from "./timeline-spans.js";

const TICKS = [0, 0.25, 0.5, 0.75, 1];
const EVERY_MS = 1000;
const WAITS = { queued: "queued", paused: "paused", person: "waiting for a decision", event: "waiting for an event" };

export class Timeline {
  #frames = [];
  #opened = new Set();
  #folds = new Map();   // kept while they are redrawn: a click and the focus must not be lost
  #snapshot = null;
  #hasTrace = false;

  constructor() {
    this.rows = h("ol", { class: "waterfall", "aria-label": "Timeline" });
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    const key = (kind, text) => span("key-item", h("i", { data: { kind } }), text);
    const legend = h("p", { class: "legend", "aria-hidden": "true" },
      key("work", "Step"), key("failed", "Failed"), key("person", "Waiting for a person"), key("event", "Waiting for an event"), key("paused", "Paused or queued"));
    this.element = h("section", { class: "panel in-timeline", "aria-labelledby": "timeline-title" },
      h("h2", { id: "timeline-title" }, "Timeline"), legend, this.axis, this.rows);
    this.timer = setInterval(() => this.#tick(), EVERY_MS);
  }

  close() { clearInterval(this.timer); }

  add(frame) { if (isTimed(frame)) this.#frames.push(frame); }

  update(snapshot) {
    this.#snapshot = snapshot;
    if (this.element.checkVisibility()) this.draw();
  }

  #tick() {
    if (this.#snapshot && !hasEnded(this.#snapshot) && this.element.checkVisibility()) this.draw();
  }

  draw() {
    if (!this.#snapshot) return;
    this.#showTrace(this.#snapshot.trace_id);
    const { from, to, waits, rows } = timelineOf(this.#snapshot, this.#frames, Date.now());
    const place = (at) => (at - from) / (to - from);
    replace(this.axis, TICKS.map((part) => h("span", {}, duration(part * (to - from)))));
    const folded = foldedRanges(rows, this.#opened);
    const shown = [row("Run", null, waits, place)];
    for (let index = 0; index < rows.length; index += 1) {
      const range = folded.get(index);
      if (range) {
        shown.push(this.#fold(rows.slice(range.from, range.to), range));
        index = range.to - 1;
      } else shown.push(row(rows[index].title, rows[index].status, rows[index].spans, place));
    }
    arrange(this.rows, shown);
    for (const [key, fold] of this.#folds) if (!shown.includes(fold)) this.#folds.delete(key);
  }

  async #showTrace(traceId) {
    if (!traceId || this.#hasTrace) return;
    this.#hasTrace = true;
    this.element.append(await traceLine(traceId));
  }

  #fold(rows, { from, to }) {
    const open = () => {
      for (const { name } of rows) this.#opened.add(name);
      this.draw();
      this.rows.querySelector("button")?.focus();
    };
    const key = rows.map(({ name }) => name).join("\n");
    if (!this.#folds.has(key)) {
      const button = h("button", { type: "button", class: "link", onclick: open }, `Show steps ${from + 1} to ${to}`);
      this.#folds.set(key, h("li", { class: "lane" }, button));
    }
    return this.#folds.get(key);
  }
}

function row(title, status, spans, place) {
  const bars = spans.map(({ kind, from, to, label }) => {
    const bar = h("i", { class: "span", data: { kind }, title: [label, duration(to - from)].filter(Boolean).join(": ") });
    bar.style.setProperty("--from", String(place(from)));
    bar.style.setProperty("--to", String(place(to)));
    return bar;
  });
  const head = span("lane-title", status ? statusDot(status) : null, h("span", {}, title));
  return h("li", { class: "lane" }, head, h("span", { class: "track", "aria-hidden": "true" }, bars),
    span("lane-time", totalOf(spans, "work", "failed", "stopped")), span("visually-hidden", wordsOf(status, spans)));
}

const sum = (spans) => spans.reduce((total, { from, to }) => total + to - from, 0);

function totalOf(spans, ...kinds) {
  const chosen = spans.filter(({ kind }) => kinds.includes(kind));
  return chosen.length ? duration(sum(chosen)) : "";
}

/** What the bars of a row show, for screen readers. */
function wordsOf(status, spans) {
  const attempts = spans.filter(({ kind }) => !(kind in WAITS)).length;
  const waits = Object.entries(WAITS).map(([kind, words]) => [words, totalOf(spans, kind)]).filter(([, time]) => time);
  return [
    status ? statusWord(status) : "", attempts > 1 ? `${attempts} attempts` : "", ...waits.map((parts) => parts.join(" ")),
  ].filter(Boolean).map((text) => `, ${text}`).join("");
}
