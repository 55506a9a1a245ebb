// Presets of a start form: the values of the last start, and those that were kept under a name.
import { dropPreset, keepPreset, presetsOf } from "../data/presets.js";
import { toast } from "../ui/announce.js";
import { ask } from "../ui/dialog.js";
import { h, replace } from "../ui/dom.js";
import { iconButton } from "../ui/icons.js";

export class Presets {
  /** current(): the values in the form, or null; use(input): fills the form. */
  constructor(pipeline, { current, use }) {
    Object.assign(this, { pipeline, current, use });
    this.keep = h("button", { type: "button", class: "button", onclick: () => this.#keep() }, "Save as preset");
    this.element = h("div", { class: "presets", role: "group", "aria-label": "Presets" });
    this.#draw();
  }

  #draw() {
    const { last, named } = presetsOf(this.pipeline);
    const fill = (text, input) => h("button", { type: "button", class: "button", onclick: () => this.use(input) }, text);
    const drop = (name) => iconButton(`Delete preset ${name}`, "cancel", () => { dropPreset(this.pipeline, name); this.#draw(); });
    replace(this.element, last ? fill("Last values", last) : null,
      Object.entries(named).map(([name, input]) => h("span", { class: "preset" }, fill(name, input), drop(name))));
  }

  async #keep() {
    const input = this.current();
    if (!input) { toast("Fill in the form first. Values of secret fields are not kept.", { kind: "error" }); return; }
    const text = "The values of this form are kept in this browser until you sign out. Secrets are not kept.";
    const name = await ask({ name: "preset", title: "Save as preset", text, label: "Name", action: "Save" });
    if (!name) return;
    keepPreset(this.pipeline, name, input);
    this.#draw();
  }
}
