// A choice among a few values as labelled buttons: radio buttons, so that arrow keys and screen readers work as usual.
import { h, uniqueId } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { hasKeys } from "../ui/keys.js";
import { hint, marker } from "./field-frame.js";
import { kindOf, resolve } from "./schema.js";

const MAX_BUTTONS = 6;

/** The name of the only choice of an object schema, if it is required and has few values; else null. */
export function soleChoice(root, schema) {
  const choices = Object.entries(root.properties ?? {}).map(([name, member]) => [name, resolve(member, schema)])
    .filter(([, node]) => kindOf(node) === "choice");
  if (choices.length !== 1) return null;
  const [[name, node]] = choices;
  const isFew = node.enum?.length > 1 && node.enum.length <= MAX_BUTTONS;
  return isFew && !node.nullable && root.required?.includes(name) ? name : null;
}

export function choiceButtons(node, context) {
  const label = node.title ?? humane(context.name);
  const group = uniqueId("choice");
  const start = context.value ?? node.default;
  const radios = node.enum.map((value) => h("input", { type: "radio", name: group, value: String(value), checked: value === start }));
  const problem = h("p", { class: "problem", id: `${group}-problem` });
  const note = hint(node, null, `${group}-hint`);
  const element = h("fieldset", {
    class: "field checks", role: "radiogroup", "aria-required": "true", "aria-describedby": [note?.id, problem.id].filter(Boolean).join(" "),
  }, h("legend", {}, label), note, node.enum.map((value, index) => h("label", {}, radios[index], h("span", {}, humane(value)), keyOf(index))), problem);
  const chosen = () => node.enum[radios.findIndex((radio) => radio.checked)];
  const own = {
    element, get path() { return context.place.path; }, label, read: chosen, setProblem: marker(element, problem),
    problems: () => (chosen() === undefined ? [{ field: context.place.path, message: "Choose one." }] : []),
    get focusTarget() { return radios.find((radio) => radio.checked) ?? radios[0]; },
  };
  element.addEventListener("change", () => own.setProblem(null));
  return Object.assign(own, { all: () => [own] });
}

/** Chooses by a digit, or by the first letter of a value; false if the key chooses nothing. */
export function chooseByKey(radios, key) {
  const textOf = (radio) => radio.labels[0].querySelector("span").textContent.toLowerCase();
  const radio = radios[Number(key) - 1] ?? radios.find((one) => textOf(one).startsWith(key));
  if (!radio) return false;
  radio.click();
  radio.focus();
  return true;
}

const keyOf = (index) => (hasKeys() ? h("kbd", { class: "choice-key", "aria-hidden": "true" }, String(index + 1)) : null);
