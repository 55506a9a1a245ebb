// The event log, newest first. It starts with what the snapshot contains; the stream then sends every event from the
// first. Every event is kept; only the visible rows are in the document.
import { div, h, setText, span } from "../ui/dom.js";
import { clock, full, plural } from "../ui/format.js";
import { bunched, factOf, lineOf, linesOf } from "./log-lines.js";
import { WindowList } from "../ui/window-list.js";
import { statusDot } from "../ui/status.js";
import { EventDetail } from "./event-detail.js";

const ROW_PX = 32;

export class EventLog {
  #events = new Set();   // the ids of those in the log
  #facts = new Set();   // what its lines state
  #count = 0;
  #lines = [];   // oldest first, so that the usual event is appended
  #matching = null;   // the lines that match the filter; null without one
  #bare = new Map();   // lines of the snapshot whose event has not arrived, by fact
  #chosen = null;

  /** filtered(text): the reader has entered another filter. */
  constructor(runId = "", { filtered = () => {} } = {}) {
    this.filtered = filtered;
    this.window = new WindowList({
      rowHeight: ROW_PX, row: (index) => this.#row(this.#at(index)), class: "log", reversed: true, "aria-label": "Events, newest first",
    });
    this.window.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.count = span("count");
    this.detail = new EventDetail(runId);
    this.filter = h("input", {
      type: "search", class: "log-filter", "aria-label": "Filter events", placeholder: "Filter by type or text", oninput: () => { this.#refilter(); this.filtered(this.filter.value.trim()); },
    });
    this.element = div("log-frame", div("log-side", this.filter, this.window.element), this.detail.element);
  }

  /** Shows the lines that match a text, as an address has it. A trailing space that was typed is kept: a word may follow. */
  narrow(text) {
    if (this.filter.value.trim() === text.trim()) return;
    this.filter.value = text;
    this.#refilter();
  }

  /** Adds lines for what is in the snapshot and not yet in the log. */
  backfill(snapshot) {
    for (const line of linesOf(snapshot)) {
      const fact = factOf(line);
      if (!line.at || this.#facts.has(fact)) continue;
      this.#facts.add(fact);
      this.#bare.set(fact, this.#insert(line));
    }
  }

  /** Adds an event, in the place of the snapshot's line for it. A step that runs again has such a line for its last round only. */
  add(frame) {
    const line = lineOf(frame);
    if (!line || this.#events.has(frame.id)) return;
    this.#events.add(frame.id);
    const fact = factOf(line);
    this.#facts.add(fact);
    const bare = this.#bare.get(fact);
    if (bare) this.#remove(bare, fact);
    const entry = this.#insert({ ...line, frame });
    if (bare && bare === this.#chosen) this.#choose(entry);
  }

  #remove(bare, fact) {
    this.#bare.delete(fact);
    this.#lines.splice(this.#lines.indexOf(bare), 1);
    this.#count -= 1;
  }

  /** Returns the new entry. */
  #insert(line) {
    const entry = { ...line, time: Date.parse(line.at), events: 1 };
    this.#count += 1;
    const place = this.#placeOf(entry.time);
    const before = this.#lines[place - 1];
    if (line.name === "artifact.created" && before?.name === line.name) {
      before.events += 1;
      before.text = bunched(before.events, line.text);
    } else if (place === this.#lines.length) this.#lines.push(entry);
    else this.#lines.splice(place, 0, entry);
    setText(this.count, plural(this.#count, "event"));
    if (this.#matching && this.#matches(entry)) this.#refilter();
    else this.window.show(this.#shown().length);
    return entry;
  }

  #shown() { return this.#matching ?? this.#lines; }

  #matches({ name, text }) {
    return `${name} ${text}`.toLowerCase().includes(this.filter.value.trim().toLowerCase());
  }

  #refilter() {
    this.#matching = this.filter.value.trim() ? this.#lines.filter((line) => this.#matches(line)) : null;
    this.window.show(this.#shown().length);
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

  #at(index) { return this.#shown()[this.#shown().length - 1 - index]; }

  #row(line) {
    const row = h("li", { class: "log-line", onclick: () => this.#choose(line) },
      h("time", { datetime: line.at, title: full(line.at) }, clock(line.at)), statusDot(line.status),
      h("span", { class: "log-text", title: line.text }, line.text), h("code", { class: "log-name" }, line.name));
    row.toggleAttribute("data-chosen", line === this.#chosen);
    return row;
  }

  /** Arrow keys, Home and End choose a line; its whole text is shown below the list. */
  #onKey(event) {
    const last = this.#shown().length - 1;
    const index = this.#shown().includes(this.#chosen) ? last - this.#shown().indexOf(this.#chosen) : -1;
    const next = { ArrowDown: Math.min(last, index + 1), ArrowUp: Math.max(0, index - 1), Home: 0, End: last }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.window.reveal(next);
    this.#choose(this.#at(next));
  }

  #choose(line) {
    this.#chosen = line;
    this.detail.show(line);
    this.window.show(this.#shown().length);
  }
}
