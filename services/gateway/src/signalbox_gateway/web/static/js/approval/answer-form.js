// The answer to any question: options and evidence as data, and a form from the answer's schema.
import { div, h } from "../ui/dom.js";
import { schemaForm } from "../forms/form.js";
import { dataView } from "../ui/data-view.js";
import { pictureQuestion } from "./picture-question.js";

export class AnswerForm {
  sendLabel = "Send decision";
  tally = null;

  constructor(approval, draft = null) {
    this.form = schemaForm(approval.answer_schema, draft?.value ?? {});
    if (draft) this.form.restoreText(draft.text ?? {});
    const asked = pictureQuestion(approval.evidence);
    const parts = asked ? [] : [["Options", approval.options], ["Evidence", approval.evidence]]
      .filter(([, value]) => value !== null && value !== undefined);
    this.element = div("answer", asked,
      parts.map(([title, value]) => div("asked", h("h3", {}, title), dataView(value))), this.form.element);
  }

  /** A digit chooses an option of the first choice, a letter the first option that begins with it. */
  onKey(key) {
    const select = this.form.element.querySelector("select");
    const options = [...(select?.options ?? [])].filter((option) => option.value !== "");
    const option = options[Number(key) - 1] ?? options.find((one) => one.text.toLowerCase().startsWith(key));
    if (!option) return false;
    select.value = option.value;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    select.focus();
    return true;
  }

  problems() { return this.form.problems(); }
  show(errors) { this.form.show(errors); }
  read() { return this.form.read(); }
  draft() { return this.form.draft(); }
}
