// The fields of a schema form. Every field has {element, path, label, read, problems, setProblem, focusTarget, all}.
import { lengthOf, matchesPattern } from "../../../client/elements/text-rules.js";
import { div, h, uniqueId } from "../ui/dom.js";
import { choiceButtons } from "./choice-buttons.js";
import { hint, marker, shellOf } from "./field-frame.js";
import { arrayField, jsonField } from "./fields-many.js";
import { humane } from "../ui/format.js";
import { highest, lowest, notANumber, numberProblem } from "./number-problem.js";
import { kindOf, resolve } from "./schema.js";
import { uploadField } from "./upload-field.js";

const LONG_TEXT = 120;
// The format of a time that is entered in the browser's time zone and read as an instant.
const INSTANT = "signalbox-instant";

export function field(schema, context) {
  const node = resolve(schema, context.root);
  switch (kindOf(node)) {
    case "object": return objectField(node, context);
    case "upload": return uploadField(node, context);
    case "choice": return context.isButtons ? choiceButtons(node, context) : choiceField(node, context);
    case "flag": return flagField(node, context);
    case "number": return numberField(node, context);
    case "text": return node.format === "password" ? secretField(node, context) : textField(node, context);
    case "array": return arrayField(node, context, field);
    default: return jsonField(node, context);
  }
}

// How many fields a folded form shows at least, if there are as many.
const SHOWN = 3;

/** buttons: the name of the choice that is shown as buttons. */
export function objectField(node, { root, place, value, top = false, folds = false, required = true, buttons = null }) {
  const needed = new Set(node.required ?? []);
  const members = Object.entries(node.properties ?? {}).map(([name, schema]) => [
    name,
    field(schema, { root, name, place: place.member(name), value: value?.[name], required: needed.has(name), isButtons: name === buttons }),
  ]);
  const body = members.map(([, member]) => member.element);
  const label = node.title ?? humane(String(place.name));
  const element = top ? div("fields", folds ? folded(members, needed, value) : body) : h("fieldset", { class: "group" }, h("legend", {}, label), hint(node), body);
  const read = () => {
    const given = members.map(([name, member]) => [name, member.read()]).filter(([, item]) => item !== undefined);
    return given.length || required ? Object.fromEntries(given) : undefined;
  };
  return { element, get path() { return place.path; }, label, read, all: () => members.flatMap(([, member]) => member.all()) };
}

/** The required fields, further ones up to SHOWN, then the others under "More", which is open if one has a value. */
function folded(members, needed, value) {
  const isShort = ([name, member]) => needed.has(name) || Boolean(member.focusTarget?.matches?.("input, select, textarea:not(.mono)"));
  const room = Math.max(SHOWN, needed.size);
  const shown = new Set([...members.filter(([name]) => needed.has(name)), ...members.filter(isShort)].slice(0, room));
  for (const member of members.filter(([name]) => needed.has(name))) shown.add(member);
  const rest = members.filter((member) => !shown.has(member));
  const elements = (list) => list.map(([, member]) => member.element);
  const isOpen = rest.some(([name]) => value?.[name] !== undefined);
  const more = rest.length ? h("details", { class: "more-fields", open: isOpen }, h("summary", {}, "More"), div("fields", elements(rest))) : null;
  return [elements(members.filter((member) => shown.has(member))), more];
}

function textField(node, context) {
  const long = (node.maxLength ?? 0) > LONG_TEXT && node.format !== "uri" && context.name !== "url";
  const address = node.format === "uri" || context.name === "url" || context.name?.endsWith("_url");
  const instant = node.format === INSTANT;
  const control = long
    ? h("textarea", { rows: 3, dir: "auto" })
    : h("input", {
      type: instant ? "datetime-local" : node.format === "date" ? "date" : "text", dir: address ? null : "auto", inputmode: address ? "url" : null, spellcheck: address ? "false" : null,
      autocomplete: "off", placeholder: node.examples?.[0],
    });
  const check = (text) => {
    const length = lengthOf(text);
    if (node.minLength && length < node.minLength) return `Enter at least ${node.minLength} characters.`;
    if (node.maxLength && length > node.maxLength) return `Shorten this to ${node.maxLength} characters; it has ${length}.`;
    return !node.pattern || matchesPattern(node.pattern, text) ? null : formOf(node);
  };
  const parse = instant ? (text) => new Date(text).toISOString() : (text) => (address ? text.trim() : text);
  return inputField(node, context, control, { parse, check });
}

/** What a text should look like, in words: an example, or the field's description. */
function formOf({ examples, description }) {
  if (examples?.length) return `This does not have the expected form. Example: ${examples[0]}`;
  return description ? `This does not have the expected form: ${description.replace(/\.$/, "")}.` : "This does not have the expected form.";
}

/** A secret: never prefilled and never shown. */
function secretField(node, context) {
  const control = h("input", { type: "password", autocomplete: "new-password", spellcheck: "false" });
  const check = (text) => (lengthOf(text) > node.maxLength ? `Shorten this to ${node.maxLength} characters.` : null);
  return inputField({ ...node, default: undefined }, { ...context, value: undefined }, control, { parse: (text) => text, check });
}

function numberField(node, context) {
  const whole = node.type === "integer";
  const [low, high] = [lowest(node), highest(node)];
  const control = h("input", { type: "number", step: whole ? 1 : "any", min: low, max: high, inputmode: whole ? "numeric" : "decimal" });
  const limits = low !== undefined && high !== undefined ? `${low} to ${high}` : null;
  return inputField(node, context, control, { parse: Number, check: (_, text) => numberProblem(node, text), limits });
}

function choiceField(node, context) {
  const values = node.enum ?? [node.const];
  const empty = context.required && node.default === undefined ? h("option", { value: "" }, "Choose…") : null;
  const none = node.nullable || (!context.required && node.default === undefined) ? h("option", { value: "" }, "None") : null;
  const control = h("select", {}, none ?? empty, values.map((value) => h("option", { value: String(value) }, humane(value))));
  return inputField(node, context, control, { parse: (text) => values.find((value) => String(value) === text), check: () => null });
}

/** A single control with its label, hint and problem. */
function inputField(node, context, control, { parse, check, limits = null }) {
  const { place, name, required } = context;
  const label = node.title ?? humane(name);
  const shell = shellOf({ node, label, control, required, limits });
  const start = context.value ?? node.default;
  if (start !== undefined && start !== null && typeof start !== "object") control.value = String(start);
  const filled = () => control.value !== "";
  const problems = () => {
    // A control for a number or a date whose text is none has an empty value.
    if (control.validity.badInput) return [{ field: place.path, message: control.type === "number" ? notANumber(node) : "Enter the whole date." }];
    if (!filled()) return required && !node.nullable ? [{ field: place.path, message: "Fill this in." }] : [];
    const message = check(parse(control.value), control.value);
    return message ? [{ field: place.path, message }] : [];
  };
  control.addEventListener("input", () => shell.setProblem(null));
  const own = { ...shell, get path() { return place.path; }, label, problems, focusTarget: control };
  // A required field that is left empty is null, if it may be.
  const empty = () => (required && node.nullable ? null : undefined);
  return Object.assign(own, { read: () => (filled() ? parse(control.value) : empty()), all: () => [own] });
}

function flagField(node, context) {
  const control = h("input", { type: "checkbox", id: uniqueId("flag"), checked: Boolean(context.value ?? node.default ?? false) });
  const problem = h("p", { class: "problem", id: `${control.id}-problem` });
  const label = node.title ?? humane(context.name);
  const element = div("field flag", h("label", { for: control.id }, control, h("span", {}, label)), hint(node), problem);
  const own = { element, get path() { return context.place.path; }, label, problems: () => [], focusTarget: control, setProblem: marker(control, problem) };
  return Object.assign(own, { read: () => control.checked, all: () => [own] });
}
