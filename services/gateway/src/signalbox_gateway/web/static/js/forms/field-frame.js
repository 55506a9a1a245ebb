// What every field of a schema form is built in: label, hint, control and problem.
import { div, h, setText, span, uniqueId } from "../ui/dom.js";

/** Where a field is in the value. The path follows `name`, which changes when an earlier row of a list is removed. */
export class Place {
  constructor(name = "", parent = null) { Object.assign(this, { name, parent }); }

  member(name) { return new Place(name, this); }

  get path() { return this.parent?.parent ? `${this.parent.path}.${this.name}` : String(this.name); }
}

export function shellOf({ node, label, control, required, limits = null }) {
  control.id = uniqueId("field");
  const problem = h("p", { class: "problem", id: `${control.id}-problem` });
  const note = hint(node, limits, `${control.id}-hint`);
  control.setAttribute("aria-describedby", `${note ? note.id : ""} ${problem.id}`.trim());
  if (required && !node.nullable) control.setAttribute("aria-required", "true");
  const optional = required || node.default !== undefined ? null : span("optional", "optional");
  const element = div("field", h("label", { for: control.id }, label, optional), note, control, problem);
  return { element, setProblem: marker(control, problem) };
}

export function marker(control, problem) {
  return (message) => {
    setText(problem, message);
    if (message) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
}

export function hint(node, limits = null, id = null) {
  const text = [node.description, limits].filter(Boolean).join(" · ");
  return text ? h("p", { class: "hint", id }, text) : null;
}
