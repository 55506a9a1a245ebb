// One variant: its pictures, text, score and decision.
import { div, h, setText, uniqueId } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { resolve } from "../forms/schema.js";
import { copyView, variantHead } from "./copy.js";
import { PictureStage } from "./pictures.js";
import { scoreView } from "./score.js";

const LABELS = { approve: "Approve", edit: "Edit", reject: "Reject" };

export class VariantCard {
  constructor({ runId, option, shape, number, changed }) {
    Object.assign(this, { option, shape, changed, action: null });
    this.radios = uniqueId("decision");
    this.problem = h("p", { class: "problem", id: `${this.radios}-problem` });
    this.choices = shape.actions.map((action) => this.#choice(action));
    this.edits = new Map(shape.edits.map((name) => [name, this.#editField(name)]));
    this.reason = textField({ label: "Why?", hint: "Visible to others. If the run makes another attempt, it gets this reason.", long: true, max: 500 });
    this.editPanel = div("decision-more", [...this.edits.values()].map((field) => field.element));
    this.rejectPanel = div("decision-more", this.reason.element);
    const title = uniqueId("variant");
    this.element = h("article", { class: "variant", "aria-labelledby": title, data: { variant: option.variant } },
      new PictureStage(runId, option).element,
      div("variant-words", variantHead(option, { id: title, number }), copyView(option)),
      option.score ? scoreView(option.score) : null,
      this.#decision(number));
    this.#show();
  }

  #decision(number) {
    return h("fieldset", { class: "decide", "aria-describedby": this.problem.id },
      h("legend", { class: "visually-hidden" }, `Decision on variant ${number}, ${this.option.headline ?? this.option.variant}`),
      div("segments", this.choices), this.editPanel, this.rejectPanel, this.problem);
  }

  #choice(action) {
    const input = h("input", { type: "radio", name: this.radios, value: action, onchange: () => this.#choose(action) });
    return h("label", { class: "segment", data: { action } }, input, h("span", {}, LABELS[action] ?? humane(action)));
  }

  #editField(name) {
    const node = resolve(this.shape.item.properties[name], this.shape.item);
    const long = (node.maxLength ?? 0) > 120;
    return textField({ label: node.title ?? humane(name), value: this.option[name] ?? "", long, max: node.maxLength });
  }

  #choose(action) {
    this.action = action;
    this.element.dataset.action = action;
    this.show([]);
    this.#show();
    this.changed();
  }

  /** Chooses an action as a click does; returns false when the answer has no such action. */
  pick(action) {
    const radio = this.choices.map((choice) => choice.querySelector("input")).find((input) => input.value === action);
    radio?.click();
    return Boolean(radio);
  }

  /** Moves the focus to what is to be entered next on this card. */
  focus() {
    const more = { edit: this.editPanel, reject: this.rejectPanel }[this.action]?.querySelector("input, textarea");
    const radios = this.choices.map((choice) => choice.querySelector("input"));
    (more ?? radios.find((radio) => radio.checked) ?? radios[0]).focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  #show() {
    this.editPanel.hidden = this.action !== "edit";
    this.rejectPanel.hidden = this.action !== "reject";
  }

  /** The edited texts. */
  #changes() {
    const given = [...this.edits].map(([name, field]) => [name, field.control.value.trim()]);
    return Object.fromEntries(given.filter(([name, text]) => text !== (this.option[name] ?? "")));
  }

  read() {
    const decision = { variant: this.option.variant, action: this.action };
    if (this.action === "edit") Object.assign(decision, this.#changes());
    if (this.action === "reject") decision.reason = this.reason.control.value.trim();
    return decision;
  }

  draft() {
    const edits = Object.fromEntries([...this.edits].map(([name, field]) => [name, field.control.value]));
    return { action: this.action, edits, reason: this.reason.control.value };
  }

  restore(draft) {
    if (!draft) return;
    for (const [name, field] of this.edits) if (typeof draft.edits?.[name] === "string") field.control.value = draft.edits[name];
    this.reason.control.value = draft.reason ?? "";
    const radio = this.choices.map((choice) => choice.querySelector("input")).find((input) => input.value === draft.action);
    if (!radio) return;
    radio.checked = true;
    this.#choose(draft.action);
  }

  problems() {
    if (!this.action) return [{ field: "action", message: "Approve, edit or reject this variant." }];
    const hasReason = this.reason.control.value.trim() !== "";
    if (this.action === "reject" && !hasReason) return [{ field: "reason", message: "Enter a reason for the next attempt." }];
    if (this.action !== "edit") return [];
    const changes = this.#changes();
    const emptied = Object.keys(changes).filter((name) => !changes[name]);
    const unchanged = { field: this.shape.edits[0], message: "Change a text, or approve the variant as it is." };
    if (Object.keys(changes).length === 0) return [unchanged];
    return emptied.map((name) => ({ field: name, message: "Fill this in or restore the original text." }));
  }

  /** Shows problems; returns the control to focus. */
  show(errors) {
    setText(this.problem, "");
    for (const field of [...this.edits.values(), this.reason]) field.setProblem(null);
    let target = null;
    for (const error of errors) {
      const field = error.field === "reason" ? this.reason : this.edits.get(error.field);
      if (field && !field.element.closest("[hidden]")) field.setProblem(error.message);
      else setText(this.problem, error.message);
      target ??= field && !field.element.closest("[hidden]") ? field.control : this.choices[0].querySelector("input");
    }
    return target;
  }
}

function textField({ label, value = "", hint = null, long = false, max = null }) {
  const shape = long ? { rows: 3 } : { type: "text" };
  const control = h(long ? "textarea" : "input", { ...shape, id: uniqueId("text"), dir: "auto", maxlength: max, value, autocomplete: "off" });
  const problem = h("p", { class: "problem", id: `${control.id}-problem` });
  const note = hint ? h("p", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  control.setAttribute("aria-describedby", [note?.id, problem.id].filter(Boolean).join(" "));
  const setProblem = (message) => {
    setText(problem, message);
    if (message) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  control.addEventListener("input", () => setProblem(null));
  return { element: div("field", h("label", { for: control.id }, label), note, control, problem), control, setProblem };
}
