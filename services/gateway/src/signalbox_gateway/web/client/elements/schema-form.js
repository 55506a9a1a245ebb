// A form for the answer of an approval: texts, numbers, flags, choices and lists; anything else as JSON.

import { h, setText, uniqueId } from "./dom.js";
import { changedNumber, isSentAsTyped } from "./number-rules.js";
import { lengthOf, matchesPattern } from "./text-rules.js";

/** A schema node without references, and `nullable` in place of null among its types. */
function resolve(schema, root) {
  if (schema.$ref) {
    const { $ref, ...own } = schema;
    const path = $ref.replace(/^#\//, "").split("/");
    return resolve({ ...path.reduce((node, part) => node?.[part], root), ...own }, root);
  }
  const { anyOf, oneOf, ...rest } = schema;
  const choices = anyOf ?? oneOf;
  if (!choices) return schema;
  const real = choices.filter(({ type }) => type !== "null");
  const nullable = real.length < choices.length;
  return real.length === 1 ? { ...resolve({ ...real[0], ...rest }, root), nullable } : { ...schema, nullable };
}

const humane = (name) => name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
const optionsOf = (node) => node.enum ?? (node.const === undefined ? null : [node.const]);

/**
 * The fields of an answer's schema.
 *
 * `read()` returns the answer; `check()` marks invalid fields, focuses the first, and returns whether all are
 * valid; `show(errors)` shows `{field, detail}` of the gateway, and returns those without a field here;
 * `draft()` and `restore(draft)` keep what was entered.
 */
export class SchemaForm {
  #fields;

  constructor(schema, text) {
    const root = resolve(schema, schema);
    const required = new Set(root.required ?? []);
    const members = root.type === "object" && root.properties ? Object.entries(root.properties) : null;
    this.isObject = members !== null;
    this.#fields = members
      ? members.map(([name, node]) => fieldOf(name, resolve(node, schema), schema, required.has(name), text))
      : [fieldOf("answer", { ...root, properties: undefined }, schema, true, text)];
    this.element = h("div", { class: "stack" }, this.#fields.map((field) => field.element));
  }

  read() {
    if (!this.isObject) return this.#fields[0].read();
    const entries = this.#fields.map((field) => [field.name, field.read()]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }

  check() {
    const wrong = this.#fields.filter((field) => field.mark(field.problem()));
    wrong[0]?.control.focus();
    return wrong.length === 0;
  }

  show(errors) {
    const inAnswer = (path) => path.replace(/^answer\.?/, "").split(/[.[]/)[0];
    const rest = errors.filter((error) => {
      const field = this.#fields.find(({ name }) => name === inAnswer(error.field ?? "") || !this.isObject);
      field?.mark(error.detail);
      return !field;
    });
    this.#fields.find((field) => field.isMarked())?.control.focus();
    return rest;
  }

  draft() { return Object.fromEntries(this.#fields.map((field) => [field.name, field.save()])); }

  restore(draft) {
    for (const field of this.#fields) if (draft[field.name] !== undefined) field.load(draft[field.name]);
  }

  setReadOnly() {
    for (const control of this.element.querySelectorAll("input, textarea, select")) {
      // A disabled text could not be copied.
      if (control.matches("select, [type=checkbox]")) control.disabled = true;
      else control.readOnly = true;
    }
  }
}

function fieldOf(name, node, root, isRequired, text) {
  const items = node.type === "array" && node.items ? resolve(node.items, root) : null;
  if (optionsOf(node)) return choiceField(name, node, isRequired, text);
  if (node.type === "boolean") return flagField(name, node);
  if (items && optionsOf(items)) return checksField(name, node, optionsOf(items), isRequired, text);
  if (items?.type === "string") return linesField(name, node, isRequired, text);
  if (node.type === "number" || node.type === "integer") return numberField(name, node, isRequired, text);
  if (node.type === "string") return textField(name, node, isRequired, text);
  return jsonField(name, node, isRequired, text);
}

function withProblem(field, control, problem) {
  return Object.assign(field, {
    control,
    isMarked: () => problem.textContent !== "",
    mark(message) {
      setText(problem, message ?? "");
      if (message) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
      return Boolean(message);
    },
  });
}

/** A field with one control: label, hint, control, problem. */
function single(name, node, control, { isRequired, text, parse, check = () => null, hint = null }) {
  // A required field that is left empty is null, if it may be.
  const [empty, missing] = isRequired && node.nullable ? [null, null] : [undefined, isRequired ? text("required") : null];
  const id = uniqueId("field");
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const notes = [node.description, hint].filter(Boolean).join(" · ");
  const note = notes ? h("p", { class: "hint", id: `${id}-hint` }, notes) : null;
  control.id = id;
  control.setAttribute("aria-describedby", note ? `${note.id} ${problem.id}` : problem.id);
  if (isRequired && !node.nullable) control.setAttribute("aria-required", "true");
  if (node.default !== undefined && node.default !== null) control.value = String(node.default);
  const label = h("label", { for: id }, node.title ?? humane(name));
  return withProblem({
    name,
    element: h("div", { class: "field" }, label, note, control, problem),
    read: () => (control.value.trim() === "" ? empty : parse(control.value)),
    problem: () => (control.value.trim() === "" ? missing : check(control.value)),
    save: () => control.value,
    load: (value) => { control.value = value; },
  }, control, problem);
}

function textField(name, node, isRequired, text) {
  const isLong = (node.maxLength ?? 0) > 120;
  const control = isLong ? h("textarea") : h("input", { type: "text", autocomplete: "off" });
  const check = (value) => {
    const length = lengthOf(value);
    const isWrong = length < (node.minLength ?? 0) || length > (node.maxLength ?? Infinity)
      || (node.pattern && !matchesPattern(node.pattern, value));
    return isWrong ? text("invalid") : null;
  };
  return single(name, node, control, { isRequired, text, parse: (value) => value, check });
}

function numberField(name, node, isRequired, text) {
  const [min, max] = [node.minimum ?? node.exclusiveMinimum, node.maximum ?? node.exclusiveMaximum];
  const isWhole = node.type === "integer";
  const control = h("input", { type: "number", step: isWhole ? "1" : "any", min, max });
  const check = (value) => {
    const number = Number(value);
    const isWrong = Number.isNaN(number) || (isWhole && !Number.isInteger(number))
      || number < (min ?? -Infinity) || number > (max ?? Infinity);
    if (isWrong) return text("invalid");
    return isSentAsTyped(value) ? null : text("number", { number: value });
  };
  const hint = min !== undefined && max !== undefined ? `${min}–${max}` : null;
  const field = single(name, node, control, { isRequired, text, parse: Number, check, hint });
  const { problem } = field;
  // A control whose text is no number has an empty value.
  return Object.assign(field, { problem: () => (control.validity.badInput ? text("invalid") : problem()) });
}

function choiceField(name, node, isRequired, text) {
  const values = optionsOf(node);
  const blank = node.default === undefined || !isRequired || node.nullable;
  const first = blank ? h("option", { value: "" }, text(isRequired && !node.nullable ? "choose" : "none")) : null;
  const options = values.map((value) => h("option", { value: String(value) }, humane(String(value))));
  const parse = (chosen) => values.find((value) => String(value) === chosen);
  return single(name, node, h("select", {}, first, options), { isRequired, text, parse });
}

function linesField(name, node, isRequired, text) {
  const parse = (value) => value.split("\n").map((line) => line.trim()).filter(Boolean);
  const options = { isRequired, text, parse, hint: text("one-per-line") };
  const field = single(name, { ...node, default: node.default?.join("\n") }, h("textarea"), options);
  const lines = () => parse(field.control.value);
  const read = () => (lines().length ? lines() : emptyList(node, isRequired));
  const problem = () => (isWithin(node, read()) ? null : text(lines().length ? "invalid" : "required"));
  return Object.assign(field, { problem, read });
}

function jsonField(name, node, isRequired, text) {
  const check = (value) => {
    try { JSON.parse(value); } catch { return text("json"); }
    const number = changedNumber(value);
    return number === null ? null : text("number", { number: number.slice(0, 40) });
  };
  const start = node.default === undefined ? undefined : JSON.stringify(node.default, null, 2);
  const options = { isRequired, text, parse: JSON.parse, check, hint: text("as-json") };
  return single(name, { ...node, default: start }, h("textarea", { spellcheck: "false" }), options);
}

function flagField(name, node) {
  const problem = h("p", { class: "problem" });
  const control = h("input", { type: "checkbox" });
  control.checked = Boolean(node.default);
  const note = node.description ? h("p", { class: "hint" }, node.description) : null;
  const label = h("label", { class: "field flag" }, control, node.title ?? humane(name));
  return withProblem({
    name,
    element: h("div", { class: "field" }, label, note, problem),
    read: () => control.checked, problem: () => null,
    save: () => control.checked, load: (value) => { control.checked = value; },
  }, control, problem);
}

function checksField(name, node, values, isRequired, text) {
  const problem = h("p", { class: "problem" });
  const chosen = new Set(node.default ?? []);
  const boxes = values.map((value) => [value, h("input", { type: "checkbox" })]);
  for (const [value, box] of boxes) box.checked = chosen.has(value);
  const checked = () => boxes.filter(([, box]) => box.checked).map(([value]) => value);
  const read = () => (checked().length ? checked() : emptyList(node, isRequired));
  const labels = boxes.map(([value, box]) => h("label", {}, box, humane(String(value))));
  return withProblem({
    name,
    element: h("fieldset", { class: "field choices" }, h("legend", {}, node.title ?? humane(name)), labels, problem),
    read, problem: () => (isWithin(node, read()) ? null : text("invalid")),
    save: checked, load: (kept) => { for (const [value, box] of boxes) box.checked = kept.includes(value); },
  }, boxes[0][1], problem);
}

/** What a list without entries is sent as: left out where the default is empty too, null where it may be null. */
function emptyList(node, isRequired) {
  if (!isRequired && !node.default?.length) return undefined;
  return node.nullable ? null : [];
}

/** Whether a list that is sent has as many entries as it may have. */
function isWithin(node, list) {
  return !Array.isArray(list) || (list.length >= (node.minItems ?? 0) && list.length <= (node.maxItems ?? Infinity));
}
