// The live stream of one queue's scaling decisions; a new connection resumes after the last decision.
import { LiveSource } from "./live-source.js";

export class DecisionFeed {
  #source;

  constructor(path, after, on, options) {
    this.after = after;
    this.#source = new LiveSource(() => `${path}&after=${encodeURIComponent(this.after)}`, {
      state: on.state,
      message: (frame) => {
        const decision = JSON.parse(frame.data);
        this.after = decision.id;
        on.decision(decision);
      },
    }, options);
  }

  close() { this.#source.close(); }
}
