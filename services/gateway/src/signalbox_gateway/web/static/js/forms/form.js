// A form from a JSON Schema: labels, limits and defaults come from the schema, problems are shown at their fields.
import { div, h, replace } from "../ui/dom.js";
import { soleChoice } from "./choice-buttons.js";
import { Place } from "./field-frame.js";
import { objectField } from "./fields.js";
import { plainPath, resolve } from "./schema.js";

/**
 * Builds the fields of an object schema. With `folds`, what need not be filled in is under "More"; with `buttons`, a sole choice
 * of few values is shown as buttons.
 *
 * Returns {element, read, problems, show, draft, restoreText}: `read()` returns the value without empty fields; `problems()` returns what
 * the browser can check itself; `show(errors, prefix)` shows `{field, message}` at the fields, the rest in the summary.
 * `draft()` returns {value, text} without secrets: the value to build the same form from, and the text of each field as
 * it was typed, for `restoreText`.
 */
export function schemaForm(schema, value = {}, { folds = false, buttons = false } = {}) {
  const root = resolve(schema, schema);
  const fields = objectField(root, { root: schema, place: new Place(), value, top: true, folds, buttons: buttons ? soleChoice(root, schema) : null });
  const summary = h("div", { class: "summary", role: "alert", tabindex: "-1" });
  summary.hidden = true;
  const element = div("form-fields", summary, fields.element);
  const controls = () => new Map(fields.all().map((field) => [field.path, field]));

  function show(errors, prefix = "") {
    const known = controls();
    for (const field of known.values()) field.setProblem(null);
    const listed = errors.map((error) => place(error, prefix, known));
    summary.hidden = listed.length === 0;
    replace(summary, listed.length ? summaryOf(listed) : null);
    for (const { field } of listed) unfold(field);
    if (listed.length) (listed.find((item) => item.field)?.field.focusTarget ?? summary).focus();
  }
  const typed = () => fields.all().filter((field) => isText(field.focusTarget));
  function draft() {
    const text = Object.fromEntries(typed().map((field) => [field.path, field.focusTarget.value]));
    const hasSecret = element.querySelector("input[type=password]") !== null;
    return { value: hasSecret ? {} : readOrEmpty(fields.read), text };
  }
  function restoreText(text) {
    for (const field of typed()) if (typeof text[field.path] === "string") field.focusTarget.value = text[field.path];
  }
  return { element, draft, restoreText, read: fields.read, problems: () => fields.all().flatMap((field) => field.problems()), show };
}

const isText = (control) => control.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=password], [type=file])");

/** The value, or nothing while a field contains text that cannot be parsed. */
function readOrEmpty(read) {
  try { return read(); } catch { return {}; }
}

/** Opens what hides a field. */
function unfold(field) {
  const more = field?.element.closest("details");
  if (more) more.open = true;
}

function place(error, prefix, known) {
  let path = plainPath(error.field);
  if (prefix && (path === prefix || path.startsWith(`${prefix}.`))) path = path.slice(prefix.length + 1);
  for (let at = path; at; at = at.includes(".") ? at.slice(0, at.lastIndexOf(".")) : "") {
    const field = known.get(at);
    if (!field) continue;
    field.setProblem(error.message);
    return { field, message: error.message };
  }
  return { field: null, message: error.field ? `${error.field}: ${error.message}` : error.message };
}

function summaryOf(listed) {
  const title = listed.length === 1 ? "One problem to correct" : `${listed.length} problems to correct`;
  const items = listed.map(({ field, message }) => {
    if (!field) return h("li", {}, message);
    const jump = h("button", { type: "button", class: "link", onclick: () => { unfold(field); field.focusTarget.focus(); } }, `${field.label}:`);
    return h("li", {}, jump, " ", message);
  });
  return [h("p", { class: "summary-title" }, title), h("ul", {}, items)];
}

