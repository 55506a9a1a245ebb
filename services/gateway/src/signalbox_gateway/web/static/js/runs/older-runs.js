// The button below a list that reads older items. It is pressed automatically before the end of the list is in view.
import { div, h } from "../ui/dom.js";

const MARGIN = "1000px";

export class OlderRuns {
  #isLoading = false;
  #observer = new IntersectionObserver(([{ isIntersecting }]) => {
    if (isIntersecting && this.isAutomatic()) this.#load();
  }, { rootMargin: MARGIN });

  /**
   * load(): reads a page. failed(problem). text: of the button.
   * isAutomatic(): whether to load without the button; a search in the browser reads further only on demand.
   */
  constructor({ load, isAutomatic, failed, text = "Older runs" }) {
    Object.assign(this, { load, isAutomatic, failed });
    this.button = h("button", { type: "button", class: "button", onclick: () => this.#load() }, text);
    this.element = div("more-runs", this.button);
  }

  open() { this.#observer.observe(this.button); }

  close() { this.#observer.disconnect(); }

  update(hasMore) { this.button.hidden = !hasMore; }

  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      await this.load();
      // Observed again, it reports again when it is still near.
      this.#observer.unobserve(this.button);
      this.open();
    } catch (problem) {
      this.failed(problem);
    } finally { this.#isLoading = false; }
  }
}
