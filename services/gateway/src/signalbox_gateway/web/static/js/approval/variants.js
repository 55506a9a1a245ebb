// The variants of an approval: each is approved, edited or rejected on its card; one button sends all decisions.
import { announce } from "../ui/announce.js";
import { div, h, setText } from "../ui/dom.js";
import { humane, plural } from "../ui/format.js";
import { plainPath } from "../forms/schema.js";
import { dataView } from "../ui/data-view.js";
import { VariantCard } from "./variant-card.js";

export class VariantBoard {
  constructor(runId, approval, shape, draft = null) {
    const card = (option, index) => new VariantCard({ runId, option, shape, number: index + 1, changed: () => this.#count() });
    this.cards = approval.options.map(card);
    this.tally = h("p", { class: "tally", role: "status" });
    this.sendLabel = `Send ${plural(this.cards.length, "decision")}`;
    this.rest = h("button", { type: "button", class: "button", onclick: () => this.#approveRest() }, "Approve the rest");
    const mayApproveRest = this.cards.length > 1 && shape.actions.includes("approve");
    this.element = div("board", evidenceView(approval.evidence), this.cards.map((card) => card.element),
      mayApproveRest ? h("p", { class: "actions" }, this.rest) : null);
    for (const card of this.cards) card.restore(draft?.[card.option.variant]);
    this.#count();
  }

  /** A, E and R decide on the current card, a digit moves to a card; returns false for any other key. */
  onKey(key) {
    const action = { a: "approve", e: "edit", r: "reject" }[key];
    const card = action ? this.#current() : this.cards[Number(key) - 1];
    if (!card || (action && !card.pick(action))) return false;
    const isComplete = action && card.problems().length === 0;
    const next = isComplete ? this.cards.find((one) => !one.action) ?? null : card;
    if (next) next.focus();
    else this.element.closest("form").querySelector("[type=submit]").focus();
    return true;
  }

  /** Approves the variants that are not decided yet; nothing is sent. */
  #approveRest() {
    for (const card of this.cards) if (!card.action) card.pick("approve");
    this.element.closest("form").querySelector("[type=submit]").focus();
  }

  /** The card with the focus, or the first that is not decided. */
  #current() {
    const focused = this.cards.find((card) => card.element.contains(document.activeElement));
    return focused ?? this.cards.find((card) => !card.action) ?? this.cards[0];
  }

  /** What has been entered on each card, by variant. */
  draft() { return Object.fromEntries(this.cards.map((card) => [card.option.variant, card.draft()])); }

  read() {
    return { decisions: this.cards.map((card) => card.read()) };
  }

  problems() {
    return this.cards.flatMap((card, index) => card.problems().map((item) => ({ ...item, field: `decisions.${index}.${item.field}` })));
  }

  /** Shows each problem on its card and moves the focus to the first. */
  show(errors) {
    const own = (index) => errors.filter((error) => belongs(error, index)).map((error) => strip(error, index));
    const targets = this.cards.map((card, index) => card.show(own(index)));
    const others = errors.filter((error) => !this.cards.some((_, index) => belongs(error, index)));
    if (others.length) targets.push(this.cards[0].show(others));
    targets.find(Boolean)?.focus();
    if (errors.length) announce(`${plural(errors.length, "decision needs", "decisions need")} your attention`);
  }

  #count() {
    const counts = new Map();
    for (const card of this.cards) if (card.action) counts.set(card.action, (counts.get(card.action) ?? 0) + 1);
    const done = this.cards.filter((card) => card.action).length;
    this.rest.disabled = done === this.cards.length;
    const parts = [...counts].map(([action, count]) => `${count} ${humane(action).toLowerCase()}`);
    setText(this.tally, [`${done} of ${this.cards.length} decided`, parts.join(", ")].filter(Boolean).join(": "));
  }
}

function evidenceView(evidence) {
  if (evidence === null || evidence === undefined) return null;
  const title = "What these are based on";
  const body = h("div", { class: "evidence-body", tabindex: "0", role: "region", "aria-label": title }, dataView(evidence));
  return h("details", { class: "whole evidence" }, h("summary", {}, title), body);
}

const at = (index) => `decisions.${index}`;
const belongs = (error, index) => plainPath(error.field) === at(index) || plainPath(error.field).startsWith(`${at(index)}.`);
const strip = (error, index) => ({ ...error, field: plainPath(error.field).slice(at(index).length + 1) });
