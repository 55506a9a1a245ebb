// The watches of this tab, which share one connection with those of the browser's other tabs.

import { Membership } from "./leader-election.js";
import { ALL } from "./run-streams.js";

const channels = new Map();

export class TabChannel {
  #key;
  #name;
  #transport;
  #watches = new Set();
  #tenantCursor = null;
  #membership = null;
  #onPageHide = () => this.#leave();
  #onPageShow = (event) => { if (event.persisted) this.#join(); };

  /**
   * key: equal for watches of this tab that may share a connection.
   * name(): equal for all tabs that may, as a promise.
   */
  static of(key, name, transport) {
    if (!channels.has(key)) channels.set(key, new TabChannel(key, name, transport));
    return channels.get(key);
  }

  constructor(key, name, transport) {
    this.#key = key;
    this.#name = name;
    this.#transport = transport;
  }

  /** Begins to deliver a watch's runs to it. */
  open(watch) {
    this.#watches.add(watch);
    if (this.#membership) {
      this.#membership.send({ add: watch.needs() });
      return;
    }
    addEventListener("pagehide", this.#onPageHide);
    addEventListener("pageshow", this.#onPageShow);
    this.#join();
  }

  /** Delivers a run again from the watch's position, because the watch has missed an event. */
  resync(watch, run) { this.#membership?.send({ add: [watch.needOf(run)] }); }

  /** Stops delivering runs to a watch, and everything when it is over. */
  drop(watch, runs) {
    if (watch.isOver) this.#watches.delete(watch);
    if (this.#watches.size === 0) {
      channels.delete(this.#key);
      removeEventListener("pagehide", this.#onPageHide);
      removeEventListener("pageshow", this.#onPageShow);
      this.#leave();
      return;
    }
    const dropped = runs.filter((run) => ![...this.#watches].some((one) => one.follows(run)));
    if (dropped.length > 0) this.#membership?.send({ drop: dropped });
  }

  #join() {
    this.#membership = new Membership(this.#transport, {
      needs: () => [...this.#watches].flatMap((watch) => this.#needsOf(watch)),
      message: (message) => this.#deliver(message),
    });
    this.#membership.join(this.#name);
  }

  #leave() {
    this.#membership?.leave();
    this.#membership = null;
  }

  #needsOf(watch) {
    return watch.needs().map((need) => (need[0] === ALL ? [ALL, this.#tenantCursor, false] : need));
  }

  #deliver({ frame, state, error }) {
    if (frame?.[3]) this.#tenantCursor = frame[3];
    for (const watch of [...this.#watches]) {
      if (frame) watch.onFrame(...frame);
      else if (state) watch.onState(...state);
      else if (error) watch.onRefused(...error);
    }
  }
}
