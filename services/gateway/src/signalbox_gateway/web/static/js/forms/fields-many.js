// Fields with several values: lists of texts (one per line), lists of groups, and JSON as the fallback.
import { changedNumber } from "../../../client/elements/number-rules.js";
import { div, h } from "../ui/dom.js";
import { hint, shellOf } from "./field-frame.js";
import { humane } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { numberProblem } from "./number-problem.js";
import { kindOf, resolve } from "./schema.js";

export function arrayField(node, context, buildField) {
  const items = node.items ? resolve(node.items, context.root) : {};
  const kind = kindOf(items);
  if (kind === "text") return linesField(node, context, { parse: (line) => line, check: () => null });
  if (kind === "number") return linesField(node, context, { parse: Number, check: (line) => numberProblem(items, line) });
  if (kind === "choice") return checksField(node, context, items.enum ?? [items.const]);
  return kind === "object" ? new GroupsField(node, context, buildField) : jsonField(node, context);
}

/** A prefilled list; a proposal may have another form than the schema. */
const listOf = (value) => (Array.isArray(value) ? value : []);

/** What a list without entries is sent as: left out where the contract's default is empty too, null where it may be null. */
function emptyList(node, { required }) {
  if (!required && !node.default?.length) return undefined;
  return node.nullable ? null : [];
}

/** Checks the list that is sent; one that is left out or null has no entries to count. */
function countProblem(node, list) {
  if (!Array.isArray(list)) return null;
  const [count, least, most] = [list.length, node.minItems ?? 0, node.maxItems ?? Infinity];
  if (count < least) return `Enter at least ${least}.`;
  return count > most ? `Enter at most ${most}; there are ${count}.` : null;
}

function linesField(node, context, { parse, check }) {
  const control = h("textarea", { rows: 3 });
  const label = node.title ?? humane(context.name);
  const shell = shellOf({ node, label, control, required: context.required, limits: "one per line" });
  const start = context.value ?? node.default;
  if (Array.isArray(start)) control.value = start.join("\n");
  const lines = () => control.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const read = () => (lines().length ? lines().map(parse) : emptyList(node, context));
  const problems = () => {
    const wrong = lines().find(check);
    const message = wrong === undefined ? countProblem(node, read()) : `${wrong}: ${check(wrong)}`;
    return message ? [{ field: context.place.path, message }] : [];
  };
  control.addEventListener("input", () => shell.setProblem(null));
  const own = { ...shell, get path() { return context.place.path; }, label, problems, focusTarget: control };
  return Object.assign(own, { read, all: () => [own] });
}

function checksField(node, context, choices) {
  const label = node.title ?? humane(context.name);
  const start = new Set(listOf(context.value ?? node.default));
  // The default has the contract's order; the schema's enum may be sorted.
  const values = [...new Set([...(node.default ?? []), ...choices])];
  const boxes = values.map((value) => [value, h("input", { type: "checkbox", checked: start.has(value) })]);
  const problem = h("p", { class: "problem" });
  const element = h("fieldset", { class: "field checks" }, h("legend", {}, label), hint(node),
    boxes.map(([value, box]) => h("label", {}, box, h("span", {}, humane(value)))), problem);
  const chosen = () => boxes.filter(([, box]) => box.checked).map(([value]) => value);
  const read = () => (chosen().length ? chosen() : emptyList(node, context));
  const problems = () => {
    const message = countProblem(node, read());
    return message ? [{ field: context.place.path, message }] : [];
  };
  const own = { element, get path() { return context.place.path; }, label, problems, read, focusTarget: boxes[0][1] };
  return Object.assign(own, { setProblem: (message) => { problem.textContent = message ?? ""; }, all: () => [own] });
}

/** A list of groups of fields, each with its own Remove. */
class GroupsField {
  #rows = [];

  constructor(node, context, buildField) {
    Object.assign(this, { node, context, buildField, label: node.title ?? humane(context.name) });
    this.list = div("groups");
    this.focusTarget = h("button", { type: "button", class: "button quiet", onclick: () => this.#addEmpty() }, icon("plus"), "Add one");
    this.problem = h("p", { class: "problem" });
    this.element = h("fieldset", { class: "group" }, h("legend", {}, this.label), hint(node), this.list, this.focusTarget, this.problem);
    for (const value of listOf(context.value ?? node.default)) this.#add(value);
    const least = context.required && !node.nullable ? node.minItems ?? 0 : 0;
    while (this.#rows.length < least) this.#add(undefined);
  }

  get path() { return this.context.place.path; }

  #add(value) {
    const place = this.context.place.member(this.#rows.length);
    const member = this.buildField(this.node.items, { root: this.context.root, name: this.label, place, value, required: true });
    const remove = h("button", { type: "button", class: "button quiet", onclick: () => this.#remove(row) }, "Remove");
    const row = { place, member, remove, element: div("group-row", member.element, remove) };
    this.#rows.push(row);
    this.list.append(row.element);
    this.#number();
  }

  #addEmpty() {
    this.#add(undefined);
    this.list.lastElementChild.querySelector("input, select, textarea")?.focus();
  }

  /** Removes a row. The others stay as they are: one may hold text that cannot be read yet, or upload a file. */
  #remove(row) {
    this.#rows = this.#rows.filter((one) => one !== row);
    row.element.remove();
    this.#number();
    this.focusTarget.focus();
  }

  /** Numbers the rows by their order, which the paths of their fields contain: problems refer to fields by path. */
  #number() {
    for (const [index, { place, remove }] of this.#rows.entries()) {
      place.name = index;
      remove.setAttribute("aria-label", `Remove number ${index + 1}`);
    }
  }

  setProblem(message) { this.problem.textContent = message ?? ""; }

  problems() {
    const message = countProblem(this.node, this.#rows.length ? this.#rows : emptyList(this.node, this.context));
    return message ? [{ field: this.path, message }] : [];
  }

  read() {
    return this.#rows.length ? this.#rows.map(({ member }) => member.read()) : emptyList(this.node, this.context);
  }

  all() { return [this, ...this.#rows.flatMap(({ member }) => member.all())]; }
}

export function jsonField(node, context) {
  const control = h("textarea", { rows: 5, class: "mono", spellcheck: "false" });
  const label = node.title ?? humane(context.name);
  const shell = shellOf({ node, label, control, required: context.required, limits: "as JSON" });
  const start = context.value ?? node.default;
  if (start !== undefined && start !== null) control.value = JSON.stringify(start, null, 2);
  const mayBeNull = context.required && node.nullable;
  const problems = () => {
    if (!control.value.trim()) return context.required && !mayBeNull ? [{ field: context.place.path, message: "Fill this in." }] : [];
    const message = jsonProblem(control.value);
    return message ? [{ field: context.place.path, message }] : [];
  };
  control.addEventListener("input", () => shell.setProblem(null));
  const own = { ...shell, get path() { return context.place.path; }, label, problems, focusTarget: control };
  const empty = mayBeNull ? null : undefined;
  return Object.assign(own, { read: () => (control.value.trim() ? JSON.parse(control.value) : empty), all: () => [own] });
}

function jsonProblem(text) {
  try { JSON.parse(text); } catch { return "This is not valid JSON; check quotes and commas."; }
  const number = changedNumber(text);
  if (number === null) return null;
  return `${number.slice(0, 40)} is too large or too small to be sent unchanged. If it is an identifier, put it in quotation marks.`;
}
