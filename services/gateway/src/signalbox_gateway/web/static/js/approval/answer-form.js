// The answer to any question: options, evidence and proposal as data, and a form from the answer's schema that begins
// with the proposal.
import { div, h } from "../ui/dom.js";
import { chooseByKey } from "../forms/choice-buttons.js";
import { schemaForm } from "../forms/form.js";
import { dataView } from "../ui/data-view.js";
import { pictureQuestion } from "./picture-question.js";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export class AnswerForm {
  sendLabel = "Send decision";
  tally = null;

  /** heading: of the parts, one level below that of the question. */
  constructor(approval, draft = null, { heading = "h3" } = {}) {
    const { proposal } = approval;
    this.form = schemaForm(approval.answer_schema, draft?.value ?? (isObject(proposal) ? proposal : {}), { buttons: true });
    if (draft) this.form.restoreText(draft.text ?? {});
    const asked = pictureQuestion(approval.evidence);
    const facts = asked ? [] : [["Options", approval.options], ["Evidence", approval.evidence]];
    const parts = [...facts, ["Proposal", proposal]].filter(([, value]) => value !== null && value !== undefined);
    const data = parts.map(([title, value]) => div("asked", h(heading, {}, title), dataView(value)));
    // Buttons stand above the data, so that they are in view however much there is.
    this.element = div("answer", asked, this.#radios().length ? [this.form.element, data] : [data, this.form.element]);
  }

  /** A digit chooses an option of the first choice, a letter the first option that begins with it. */
  onKey(key) {
    const radios = this.#radios();
    if (radios.length) return chooseByKey(radios, key);
    const select = this.form.element.querySelector("select");
    const options = [...(select?.options ?? [])].filter((option) => option.value !== "");
    const option = options[Number(key) - 1] ?? options.find((one) => one.text.toLowerCase().startsWith(key));
    if (!option) return false;
    select.value = option.value;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    select.focus();
    return true;
  }

  #radios() { return [...this.form.element.querySelectorAll("input[type=radio]")]; }

  problems() { return this.form.problems(); }
  show(errors) { this.form.show(errors); }
  read() { return this.form.read(); }
  draft() { return this.form.draft(); }
}
