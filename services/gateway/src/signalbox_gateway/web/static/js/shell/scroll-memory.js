// Where each entry of the history was scrolled to, so that Back returns to the place.

const KEY = "signalbox.scroll";
const MAX_ENTRIES = 50;
const MAX_FRAMES = 60;

export class ScrollMemory {
  #places = new Map();
  #key = "";

  constructor() {
    history.scrollRestoration = "manual";
    try { this.#places = new Map(JSON.parse(sessionStorage.getItem(KEY) ?? "[]")); } catch { /* nothing was stored */ }
    addEventListener("scroll", () => this.#note(), { passive: true });
    addEventListener("pagehide", () => this.#store());
  }

  /** The page of this entry is about to be replaced: what is scrolled from now on belongs to no entry. */
  leave() { this.#key = ""; }

  /** Scrolls to where the entry was, or to the top. */
  arrive() {
    const key = history.state?.place ?? crypto.randomUUID();
    history.replaceState({ ...history.state, place: key }, "");
    this.#restore(key, this.#places.get(key) ?? 0, MAX_FRAMES);
  }

  /** Lists grow to their height within some frames. */
  #restore(key, top, frames) {
    scrollTo(0, top);
    if (frames === 0 || Math.abs(scrollY - top) < 2) { this.#key = key; return; }
    requestAnimationFrame(() => {
      if (history.state?.place === key) this.#restore(key, top, frames - 1);
    });
  }

  #note() {
    if (!this.#key || history.state?.place !== this.#key) return;
    this.#places.delete(this.#key);
    this.#places.set(this.#key, scrollY);
    if (this.#places.size > MAX_ENTRIES) this.#places.delete(this.#places.keys().next().value);
  }

  #store() {
    try { sessionStorage.setItem(KEY, JSON.stringify([...this.#places])); } catch { /* storage is disabled */ }
  }
}
