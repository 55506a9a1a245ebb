// The plot: backlog, slots and cost over time, with marks where workers were launched or drained.
// Arrow keys or the pointer select a decision; the readout below describes it.
import { div, h, replace, setText, span, svg } from "../ui/dom.js";
import { amount, clock } from "../ui/format.js";

const WIDE = 960;
const LEFT = 64;
const RIGHT = 12;
const HOUR_MS = 3_600_000;
const PANELS = [
  { label: "Backlog", top: 18, high: 110, lines: [["backlog", "waiting"]] },
  { label: "Slots", top: 172, high: 110, lines: [["capacity", "capacity"], ["used", "used"]] },
  { label: "Reserved this hour", top: 326, high: 64, lines: [["money", "money"]] },
];
const HIGH = 420;

export class ScalePlot {
  #points = [];
  #at = -1;

  constructor(pointed) {
    this.pointed = pointed;
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "scale-plot", "aria-hidden": "true" });
    this.stand = h("p", { class: "readout" });
    this.slider = h("div", {
      class: "plot-stand", role: "slider", tabindex: "0", "aria-label": "Decisions over time", "aria-valuemin": "0",
      onkeydown: (event) => this.#key(event), onpointermove: (event) => this.#pointer(event), onclick: (event) => this.#pointer(event),
    }, this.drawing);
    this.element = div("plot", legend(), this.slider, this.stand);
  }

  show(decisions) {
    const followed = this.#at < 0 || this.#at === this.#points.length - 1;
    const kept = this.#points[this.#at]?.id;
    const last = decisions.length ? Date.parse(decisions.at(-1).at) : 0;
    this.#points = decisions.filter((one) => last - Date.parse(one.at) <= HOUR_MS).map(point);
    this.#at = followed ? this.#points.length - 1 : Math.max(0, this.#points.findIndex((one) => one.id === kept));
    this.#draw();
  }

  #draw() {
    if (!this.#points.length) { replace(this.drawing); return; }
    const first = this.#points[0].time;
    const span_ms = Math.max(60_000, this.#points.at(-1).time - first);
    this.x = (one) => LEFT + ((one.time - first) / span_ms) * (WIDE - LEFT - RIGHT);
    this.cursor = svg("line", { class: "cursor", y1: 18, y2: HIGH - 30 });
    replace(this.drawing, PANELS.map((panel) => this.#panel(panel)), this.#times(first, span_ms), this.#marks(), this.cursor);
    this.#stand(this.#at, false);
  }

  #panel({ label, top, high, lines }) {
    const most = Math.max(0, ...this.#points.flatMap((one) => lines.map(([name]) => one[name])));
    const ceiling = most > 0 ? most * 1.08 : 1;
    const y = (value) => top + high - (value / ceiling) * (high - 16);
    const grid = [0, most].filter((value, at) => at === 0 || value > 0).map((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)),
    ]);
    const drawn = lines.map(([name, kind]) => svg("path", { class: `line ${kind}`, d: steps(this.#points, this.x, (one) => y(one[name])) }));
    return [svg("text", { class: "panel-name", x: LEFT, y: top - 2 }, label), grid, drawn];
  }

  #times(first, span_ms) {
    return [0, 0.5, 1].map((part) => svg("text", {
      x: LEFT + part * (WIDE - LEFT - RIGHT), y: HIGH - 8, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle",
    }, clock(new Date(first + part * span_ms).toISOString())));
  }

  /** A triangle up for launches, one down for drained workers: the meaning does not depend on colour. */
  #marks() {
    const base = 172 + 110;
    return this.#points.flatMap((one) => {
      const x = this.x(one);
      const up = one.launched ? svg("path", { class: "mark launched", d: `M${x - 6} ${base + 14}L${x + 6} ${base + 14}L${x} ${base + 3}Z` }) : null;
      const down = one.retired ? svg("path", { class: "mark retired", d: `M${x - 6} ${base + 18}L${x + 6} ${base + 18}L${x} ${base + 29}Z` }) : null;
      return [up, down].filter(Boolean);
    });
  }

  #key(event) {
    const steps_by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -12, PageUp: 12, Home: -Infinity, End: Infinity }[event.key];
    if (steps_by === undefined) return;
    event.preventDefault();
    this.#stand(Math.min(this.#points.length - 1, Math.max(0, this.#at + steps_by)), true);
  }

  #pointer(event) {
    if (!this.#points.length) return;
    const box = this.drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDE;
    let nearest = 0;
    this.#points.forEach((one, at) => { if (Math.abs(this.x(one) - x) < Math.abs(this.x(this.#points[nearest]) - x)) nearest = at; });
    this.#stand(nearest, true);
  }

  #stand(at, notify) {
    this.#at = at;
    const one = this.#points[at];
    if (!one) return;
    const text = `${clock(one.at)}: ${amount(one.backlog)} waiting, ${amount(one.used)} of ${amount(one.capacity)} slots, ${one.sentence}.`;
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(one));
    setText(this.stand, text);
    this.slider.setAttribute("aria-valuemax", String(this.#points.length - 1));
    this.slider.setAttribute("aria-valuenow", String(at));
    this.slider.setAttribute("aria-valuetext", text);
    if (notify) this.pointed(one);
  }
}

const point = (one) => ({ ...one, time: Date.parse(one.at), money: Number(one.spent_hour || 0) });
const short = (value) => (value >= 10_000 ? `${Math.round(value / 1000)} k` : value >= 100 ? String(Math.round(value)) : String(Number(value.toFixed(3))));

/** A step function: a value holds until the next decision. */
function steps(points, x, y) {
  return points.map((one, at) => (at === 0 ? `M${x(one).toFixed(1)} ${y(one).toFixed(1)}` : `H${x(one).toFixed(1)}V${y(one).toFixed(1)}`)).join("");
}

function legend() {
  const item = (kind, text) => span("key", span(`plot-swatch ${kind}`), text);
  return div("plot-legend", item("waiting", "backlog"), item("capacity", "available slots"), item("used", "slots in use"),
    item("launched", "▲ launched"), item("retired", "▼ draining"), item("money", "cost"));
}
