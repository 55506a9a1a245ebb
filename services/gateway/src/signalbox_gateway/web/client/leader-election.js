// One connection for all tabs of a browser: the tab that holds a Web Lock leads and passes everything on over
// a BroadcastChannel. Where either is missing (for example without HTTPS), every tab leads itself.
//
// To the leader: {tab, add: [[run, cursor, history]]}, {tab, drop: [run]}, {tab, ask: true}.
// From the leader: {frame: [name, body, cursor, tenantCursor]}, {state: [runs, state, reason]},
// {error: [error, runs, isFinal]}, {alive: true}, and {call: true}, which asks every tab for its runs.

import { RunStreams } from "./run-streams.js";

// The tab of a leader may be suspended while it holds the lock.
const SILENCE_MS = 30_000;
const REPLY_MS = 3000;

/** This tab among those that share a connection, from joining to leaving. */
export class Membership {
  #tab = newId();
  #transport;
  #on;
  #channel = null;
  #streams = null;
  #leaving = new AbortController();
  #silence = 0;
  #name = "";
  // The tabs whose end this one waits for.
  #awaited = new Set([this.#tab]);

  /** on.needs(): the runs that this tab needs, as in `add`. on.message(message): one from the leader. */
  constructor(transport, on) {
    this.#transport = transport;
    this.#on = on;
  }

  async join(nameOf) {
    if (!globalThis.BroadcastChannel || !navigator.locks) {
      this.#lead();
      return;
    }
    this.#name = await nameOf();
    if (this.#leaving.signal.aborted) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
    // The leader waits for this lock, which is free when the tab is gone.
    await new Promise((resolve) => { this.#hold(`${this.#name} ${this.#tab}`, {}, resolve); });
    if (this.#leaving.signal.aborted) return;
    this.#elect({ signal: this.#leaving.signal });
    this.#expectWord();
    this.send({ add: this.#on.needs() });
  }

  leave() {
    clearTimeout(this.#silence);
    if (this.#channel && !this.#streams) this.send({ leave: true });
    this.#leaving.abort();
    this.#resign();
    this.#channel?.close();
  }

  /** Sends a message to the leader, which may be this tab. Without a leader it is lost: the next one asks. */
  send(message) {
    const sent = { tab: this.#tab, ...message };
    if (this.#streams) this.#onRequest(sent);
    else this.#channel?.postMessage(sent);
  }

  /** Holds a lock until this tab leaves. */
  #hold(name, options, onGranted) {
    const { signal } = this.#leaving;
    return navigator.locks.request(name, options, () => {
      if (signal.aborted) return null;
      onGranted();
      return new Promise((resolve) => { signal.addEventListener("abort", resolve); });
    });
  }

  async #elect(options) {
    try {
      await this.#hold(this.#name, options, () => this.#lead());
    } catch {
      // This tab has left, or another one has taken the lock because this one did not reply.
      if (this.#leaving.signal.aborted || !this.#streams) return;
      this.#resign();
      this.#elect({ signal: this.#leaving.signal });
    }
  }

  #lead() {
    if (this.#streams) return;
    clearTimeout(this.#silence);
    this.#streams = new RunStreams(this.#transport, (message) => this.#announce(message));
    this.send({ add: this.#on.needs() });
    this.#channel?.postMessage({ call: true });
  }

  #resign() {
    this.#streams?.close();
    this.#streams = null;
  }

  #announce(message) {
    this.#channel?.postMessage(message);
    this.#on.message(message);
  }

  #onMessage(message) {
    if (this.#streams) {
      if (message.tab) this.#onRequest(message);
      return;
    }
    if (message.tab) return;
    this.#expectWord();
    if (message.call) this.send({ add: this.#on.needs() });
    else this.#on.message(message);
  }

  #onRequest({ tab, add = [], drop = [], ask = false, leave = false }) {
    if (ask) this.#channel.postMessage({ alive: true });
    if (add.length > 0) this.#forgetWhenGone(tab);
    this.#streams.add(tab, add);
    for (const run of drop) this.#streams?.drop(tab, run);
    if (leave) this.#streams?.forget(tab);
  }

  #forgetWhenGone(tab) {
    // One request a tab, however often it adds runs; the ids of tabs do not recur.
    if (this.#awaited.has(tab)) return;
    this.#awaited.add(tab);
    const options = { signal: this.#leaving.signal };
    // Rejects when this tab leaves.
    navigator.locks.request(`${this.#name} ${tab}`, options, () => this.#streams?.forget(tab)).catch(() => {});
  }

  /** (Re)starts the timer after which a silent leader is asked, and replaced if it does not reply. */
  #expectWord() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.send({ ask: true });
      this.#silence = setTimeout(() => this.#elect({ steal: true }), REPLY_MS);
    }, SILENCE_MS);
  }
}

const newId = () => crypto.getRandomValues(new Uint32Array(3)).join("");
