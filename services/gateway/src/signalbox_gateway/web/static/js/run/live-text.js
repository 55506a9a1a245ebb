// The text that running steps are writing, in the page's main column. It follows its end unless the reader
// scrolls up.
import { div, h, setText } from "../ui/dom.js";

const AT_END_PX = 8;

export class LiveText {
  #outputs = new Map();

  constructor() {
    this.element = div("live-texts");
  }

  update(snapshot) {
    const writing = snapshot.steps.filter((step) => step.status === "running" && step.text);
    const names = new Set(writing.map((step) => step.name));
    for (const [name, output] of this.#outputs) {
      if (names.has(name)) continue;
      output.close();
      this.#outputs.delete(name);
    }
    for (const step of writing) this.#output(step).update(step);
  }

  close() { for (const output of this.#outputs.values()) output.close(); }

  #output(step) {
    if (!this.#outputs.has(step.name)) {
      const output = new Output(step);
      this.#outputs.set(step.name, output);
      this.element.append(output.element);
    }
    return this.#outputs.get(step.name);
  }
}

class Output {
  #follows = true;
  #top = 0;

  constructor(step) {
    const title = `live-text-${step.name}`;
    const label = `${step.title}: output so far`;
    this.body = h("pre", { class: "live-text", tabindex: "0", role: "region", "aria-label": label });
    const heading = h("h2", { id: title }, step.title);
    this.element = h("section", { class: "panel", "aria-labelledby": title }, heading, this.body);
    // Until the page is laid out, there is no height to scroll to.
    this.sizes = new ResizeObserver(() => this.#scroll());
    this.sizes.observe(this.body);
  }

  update(step) {
    this.#notice();
    setText(this.body, `${step.text_offset ? "… " : ""}${step.text}`);
    this.#scroll();
  }

  close() {
    this.sizes.disconnect();
    this.element.remove();
  }

  /** Reads from the scroll position whether the reader has moved away from the end, or back to it. */
  #notice() {
    const { scrollTop, clientHeight, scrollHeight } = this.body;
    if (scrollTop + clientHeight >= scrollHeight - AT_END_PX) this.#follows = true;
    else if (scrollTop < this.#top - AT_END_PX) this.#follows = false;
  }

  #scroll() {
    if (!this.#follows) return;
    this.body.scrollTop = this.body.scrollHeight;
    this.#top = this.body.scrollTop;
  }
}
