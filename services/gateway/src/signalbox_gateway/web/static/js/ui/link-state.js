// The measured state of a page's connection, in words.
import { h, setText } from "./dom.js";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Connection lost, reconnecting",
  silent: "No data for 30 s, reconnecting",
  refused: "Not live: reload the page",
  ended: "Ended",
};

export class LinkState {
  constructor() {
    this.element = h("span", { class: "link-state", role: "status" });
  }

  set(state) {
    this.element.dataset.state = state;
    setText(this.element, WORDS[state]);
  }
}
