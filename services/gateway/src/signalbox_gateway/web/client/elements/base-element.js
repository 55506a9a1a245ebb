// What the elements share: the shadow root, the connection to the gateway, and texts that a page can replace.

import { Signalbox } from "../signalbox.js";
import { styleSheet } from "./styles.js";

/** The default texts. A page replaces each by the attribute `text-<name>`, as in `text-send="Gửi"`. */
export const TEXTS = {
  "queued": "Queued", "running": "Running", "paused": "Paused", "completed": "Completed", "failed": "Failed",
  "cancelled": "Cancelled", "terminated": "Terminated", "timed_out": "Timed out", "pending": "Not started",
  "skipped": "Skipped",
  "loading": "Loading …", "waiting": "Connection lost, reconnecting …", "denied": "This run is not available.",
  "send": "Send decision", "sending": "Sending …", "accepted": "Decision accepted.",
  "recorded": "Decision recorded. It takes effect when a worker is available.",
  "counted": "Vote counted. Further votes are needed.",
  "decided": "Already decided by {name}.", "expired": "The deadline has passed.",
  "withdrawn": "This question is no longer asked.", "vetoed": "Vetoed by {name}.",
  "changed": "The question has changed. Your draft for the earlier version is below.",
  "draft": "Your draft, not sent", "deadline": "Answer by {time}",
  "required": "Fill this in.", "invalid": "This value is not allowed.", "json": "This is not valid JSON.",
  "number": "{number} is too large or too small to be sent unchanged.",
  "choose": "Choose …", "none": "None", "as-json": "as JSON", "one-per-line": "one per line",
  "empty": "Nothing waits for a decision.", "options": "Options", "evidence": "Evidence",
};

/**
 * The base of the elements.
 *
 * The gateway is that of the property `signalbox`, else that of the attributes `origin` and `token`; without
 * them, the gateway that served this module, with its session.
 */
export class SignalboxElement extends HTMLElement {
  #signalbox = null;
  #own = null;
  #stop = null;
  #isScheduled = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open", delegatesFocus: true });
    this.shadowRoot.adoptedStyleSheets = [styleSheet()];
  }

  get signalbox() {
    if (this.#signalbox) return this.#signalbox;
    const [origin, token] = [this.getAttribute("origin") ?? undefined, this.getAttribute("token") ?? undefined];
    if (!this.#own || this.#own.origin !== origin || this.#own.token !== token) {
      this.#own = { origin, token, client: new Signalbox({ origin, token }) };
    }
    return this.#own.client;
  }

  set signalbox(client) {
    this.#signalbox = client;
    this.restart();
  }

  connectedCallback() { this.restart(); }

  disconnectedCallback() { this.#end(); }

  attributeChangedCallback(_name, before, after) {
    if (before !== after) this.restart();
  }

  /** Opens the element again; changes of several attributes in one task count once. */
  restart() {
    if (this.#isScheduled || !this.isConnected) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#end();
      if (this.isConnected) this.#stop = this.start() ?? null;
    });
  }

  /** Begins to show something; returns what ends it. */
  start() { return null; }

  text(name, values = {}) {
    const text = this.getAttribute(`text-${name}`) ?? TEXTS[name] ?? name;
    return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  }

  /** A time in the language of the page. */
  time(value) {
    const lang = this.closest("[lang]")?.getAttribute("lang") || undefined;
    return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(value));
  }

  /** Dispatches an event that also leaves other shadow roots. */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(`signalbox-${name}`, { detail, bubbles: true, composed: true }));
  }

  #end() {
    this.#stop?.();
    this.#stop = null;
  }
}
