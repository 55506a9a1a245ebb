// What changed between two rounds of the same question, text by text.
import { div, h, replace, span } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { wordDiff } from "../ui/text-diff.js";

/** For each pair of consecutive rounds of a question: {id, title, from, to, changes}; `id` is the later one. Pure. */
export function roundsOf(approvals) {
  const byName = Map.groupBy(approvals, (approval) => approval.name);
  return [...byName.values()].flatMap((rounds) => rounds.slice(1).map((later, index) => ({
    id: later.approval_id, title: later.title, from: index + 1, to: index + 2, changes: changesBetween(rounds[index], later),
  }))).filter(({ changes }) => changes.length);
}

/** [{item, reason, texts: [{name, parts}]}]: `item` is a variant, or empty for the question as a whole. */
function changesBetween(earlier, later) {
  const before = textsOf(earlier);
  return [...textsOf(later)].map(([item, texts]) => ({
    item, reason: reasonOf(earlier, item),
    texts: Object.entries(texts).filter(([name, text]) => text !== (before.get(item)?.[name] ?? text))
      .map(([name, text]) => ({ name, parts: wordDiff(before.get(item)[name], text) })),
  })).filter(({ texts }) => texts.length);
}

/** The texts that were shown: of each variant, or of the question as a whole. */
function textsOf({ options, evidence }) {
  const isVariants = Array.isArray(options) && options.every((option) => option?.variant);
  return isVariants ? new Map(options.map((option) => [option.variant, strings(option)])) : new Map([["", { ...strings(evidence), ...strings(options) }]]);
}

function strings(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}

function reasonOf(approval, variant) {
  const decisions = approval.answer?.decisions;
  return (Array.isArray(decisions) && decisions.find((decision) => decision.variant === variant)?.reason) || null;
}

export class RoundChanges {
  #shown = "";

  constructor() {
    this.element = h("section", { class: "panel in-decisions", hidden: true, "aria-labelledby": "rounds-title" });
  }

  /** With `only`, what led to that approval; otherwise every round. */
  update({ approvals }, only = null) {
    const key = approvals.map(({ approval_id: id, digest, status }) => `${id} ${digest} ${status}`).join();
    if (this.#shown === key) return;
    this.#shown = key;
    const rounds = roundsOf(approvals).filter(({ id }) => !only || id === only);
    this.element.hidden = rounds.length === 0;
    replace(this.element, h("h2", { id: "rounds-title" }, "Changes between rounds"), rounds.map(roundView));
  }
}

function roundView({ title, from, to, changes }) {
  return div("round", h("h3", {}, `Round ${from} to round ${to}: ${title}`), changes.map(({ item, reason, texts }) => div("round-item",
    item ? span("plate", item) : null, reason ? h("p", { class: "hint" }, `Reason: ${reason}`) : null,
    h("dl", { class: "data" }, texts.map(({ name, parts }) => div("", h("dt", {}, humane(name)), h("dd", {}, parts.map(partView))))))));
}

function partView({ kind, text }) {
  if (kind === "same") return text;
  return h(kind === "added" ? "ins" : "del", {}, span("visually-hidden", ` ${kind}: `), text);
}
