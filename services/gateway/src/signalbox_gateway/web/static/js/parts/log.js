// The event log, newest first. It starts with what the snapshot contains; the stream then sends every event from the
// first. Every event is kept; only the visible rows are in the document.
import { div, h, setText, span } from "../dom.js";
import { clock, full, plural } from "../format.js";
import { bunched, lineOf, linesOf } from "../log-lines.js";
import { WindowList } from "../window-list.js";
import { lamp } from "./lamp.js";

const ROW_PX = 32;

export class EventLog {
  #seen = new Set();
  #lines = [];   // oldest first, so that the usual event is appended
  #chosen = null;

  constructor() {
    this.window = new WindowList({
      rowHeight: ROW_PX, row: (index) => this.#row(this.#at(index)), class: "log", reversed: true, "aria-label": "Events, newest first",
    });
    this.window.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.count = span("count");
    this.detail = h("p", { class: "log-detail", role: "status" });
    this.element = div("log-frame", this.window.element, this.detail);
  }

  /** Adds lines for what is in the snapshot and not yet in the log. */
  backfill(snapshot) {
    for (const line of linesOf(snapshot)) this.#add(line);
  }

  add(frame) {
    const line = lineOf(frame);
    if (line) this.#add(line);
  }

  #add(line) {
    const key = `${line.name}/${line.subject}`;
    if (this.#seen.has(key) || !line.at) return;
    this.#seen.add(key);
    const entry = { ...line, time: Date.parse(line.at), events: 1 };
    const place = this.#placeOf(entry.time);
    const before = this.#lines[place - 1];
    if (line.name === "artifact.created" && before?.name === line.name) {
      before.events += 1;
      before.text = bunched(before.events, line.text);
    } else if (place === this.#lines.length) this.#lines.push(entry);
    else this.#lines.splice(place, 0, entry);
    setText(this.count, plural(this.#seen.size, "event"));
    this.window.show(this.#lines.length);
  }

  /** The place after every line that is not later; by binary search. */
  #placeOf(time) {
    let low = 0;
    let high = this.#lines.length;
    if (high && this.#lines[high - 1].time <= time) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lines[middle].time <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #at(index) { return this.#lines[this.#lines.length - 1 - index]; }

  #row(line) {
    const row = h("li", { class: "log-line", onclick: () => this.#choose(line) },
      h("time", { datetime: line.at, title: full(line.at) }, clock(line.at)), lamp(line.status),
      h("span", { class: "log-text", title: line.text }, line.text), h("code", { class: "log-name" }, line.name));
    row.toggleAttribute("data-chosen", line === this.#chosen);
    return row;
  }

  /** Arrow keys, Home and End choose a line; its whole text is shown below the list. */
  #onKey(event) {
    const last = this.#lines.length - 1;
    const index = this.#chosen ? last - this.#lines.indexOf(this.#chosen) : -1;
    const next = { ArrowDown: Math.min(last, index + 1), ArrowUp: Math.max(0, index - 1), Home: 0, End: last }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.window.reveal(next);
    this.#choose(this.#at(next));
  }

  #choose(line) {
    this.#chosen = line;
    setText(this.detail, `${full(line.at)} · ${line.name} · ${line.text}`);
    this.window.show(this.#lines.length);
  }
}
