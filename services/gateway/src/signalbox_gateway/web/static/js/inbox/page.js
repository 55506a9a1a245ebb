// The inbox: the questions of a view next to the chosen one. A sent decision opens the next question.
import { RunFeed } from "../data/run-feed.js";
import { keyOf } from "../data/inbox-watch.js";
import { presenceList } from "../data/presence.js";
import { claimLeft } from "../data/waiting-for.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { hasKeys, listenForKeys } from "../ui/keys.js";
import { LinkState } from "../ui/link-state.js";
import { openPage } from "../ui/open-page.js";
import { parsePlace, replaceAddress } from "../ui/place.js";
import { setTitle } from "../ui/title.js";
import { QuestionList } from "./question-list.js";
import { Question } from "./question.js";
import { ViewLinks, addressOfQuestion, addressOfView, emptyView, inOrder, readView, viewOf } from "./views.js";

const PRESENCE_MS = 15_000;
const WIDE = matchMedia("(min-width: 60.01rem)");

export async function inboxPage({ parts: [run, approval], query, inbox }) {
  const page = new InboxPage(inbox, viewOf(query));
  await openPage(page, run, approval);
  return {
    title: "Inbox", titlesItself: true, element: page.element, close: () => page.close(), entered: () => page.entered(),
    navigate: ({ parts, query: next }) => page.navigate(viewOf(next), parts[0], parts[1]),
  };
}

class InboxPage {
  #items = [];
  #total = 0;
  #done = new Set();   // decided here; the list may still have them for a moment
  #at = 0;   // the place of the chosen question, kept when it leaves the list
  #isClosed = false;
  #visits = 0;   // of views and questions, by their address
  #begun = 0;   // reads
  #applied = 0;

  constructor(inbox, view) {
    Object.assign(this, { inbox, view });
    this.views = new ViewLinks();
    this.list = new QuestionList();
    this.link = new LinkState();
    this.count = span("count");
    this.problem = div("");
    this.main = div("triage-main");
    this.element = div("triage",
      h("section", { class: "triage-side", "aria-label": "Questions" },
        div("triage-head", h("h1", {}, "Inbox"), this.count, this.link.element), this.views.element, this.problem, this.list.element, keysHint()),
      this.main);
  }

  async open(run, approval) {
    this.stopWhole = this.inbox.readWhole();
    await this.#load();
    // First the question that the address names: without one, a change of the inbox chooses.
    await this.choose(run, approval);
    this.stopListening = this.inbox.listen(() => this.#reload());
    this.feed = new RunFeed({
      started: () => {}, reported: () => {}, progress: () => {},
      changed: () => this.#refresh(), state: (state) => this.link.set(state),
      presence: (question) => presenceList.update(question),
    });
    this.stopPresence = presenceList.listen(() => this.#list());
    presenceList.refresh();
    // The viewers of a browser that was closed expire without an event.
    this.presenceTimer = setInterval(() => { if (!document.hidden) presenceList.refresh(); }, PRESENCE_MS);
    this.stopKeys = listenForKeys({
      j: () => this.#move(1), k: () => this.#move(-1),
      ...Object.fromEntries([..."aer123456789"].map((key) => [key, () => this.question?.onKey(key) ?? false])),
    });
  }

  close() {
    this.#isClosed = true;
    this.stopWhole?.();
    this.stopListening?.();
    this.stopKeys?.();
    this.feed?.close();
    this.stopPresence?.();
    clearInterval(this.presenceTimer);
    clearTimeout(this.claimTimer);
    this.question?.close();
  }

  entered() { setTitle("Inbox"); }

  /** Shows another view, or another question of the same one. */
  async navigate(view, run, approval) {
    const visit = this.#visits += 1;
    if (view !== this.view) {
      this.view = view;
      this.#items = [];
      this.#total = 0;
      this.#list();
      const isLoaded = await this.#tryLoad();
      if (this.#isClosed) return;
      this.#list();
      // While the view was loading, the user may have navigated further: the later call shows that page.
      if (visit !== this.#visits) return;
      if (!isLoaded && !run) { this.#showNone(); return; }
    }
    await this.choose(run, approval);
  }

  /** Leaves the question empty: while the view could not be read, it is unknown whether there are any. */
  #showNone() {
    this.chosen = null;
    this.element.removeAttribute("data-chosen");
    this.question?.close();
    this.question = null;
    replace(this.main);
  }

  /** Shows a question; without one, on a wide screen, the first. */
  async choose(run, approval) {
    const first = WIDE.matches ? this.#items.find((item) => !this.#done.has(keyOf(item))) : undefined;
    const chosen = run ? { run_id: run, approval_id: approval } : first;
    // While the page was loading, the user may have gone on to another one.
    if (chosen && !run && isOfInbox(parsePlace())) replaceAddress(addressOfQuestion(chosen, this.view));
    this.chosen = chosen ? keyOf(chosen) : null;
    this.element.toggleAttribute("data-chosen", Boolean(chosen));
    this.#list();
    this.question?.close();
    this.question = chosen ? new Question(chosen, { decided: ({ isOpen }) => this.#decided(keyOf(chosen), isOpen), back: addressOfView(this.view) }) : null;
    replace(this.main, this.question?.element ?? emptyView(this.view, { isWhole: this.#total !== null }));
    await this.question?.load();
  }

  /** Reads the questions of the view; false if the user has gone to another view or page meanwhile. */
  async #load() {
    const { view } = this;
    const read = this.#begun += 1;
    const found = await readView(view, this.inbox);
    if (this.#isClosed || view !== this.view) return false;
    replace(this.problem);
    // A late response must not replace that of a later read.
    if (read > this.#applied) this.#take(found);
    this.#applied = Math.max(read, this.#applied);
    return true;
  }

  /** As `#load`, with the reason shown if it fails. */
  async #tryLoad() {
    try {
      return await this.#load();
    } catch (problem) {
      if (!this.#isClosed && problem.status !== 401) replace(this.problem, problemNotice(problem));
      return false;
    }
  }

  #take({ approvals, total }) {
    this.#items = inOrder(approvals, this.view);
    const listed = new Set(approvals.map(keyOf));
    for (const key of this.#done) if (!listed.has(key)) this.#done.delete(key);
    this.#total = total;
  }

  /** Handles a change that the stream reported. Other views can change although the list of all pending questions has not. */
  async #refresh() {
    const begun = this.#begun;
    await this.inbox.refresh();
    // A change of the pending questions has made the page read its view already.
    if (this.view !== "all" && this.#begun === begun) await this.#reload();
  }

  /** Shows what has changed; the chosen question stays, whether it is still listed or not. */
  async #reload() {
    if (this.view === "all") {
      replace(this.problem);
      this.#take(this.inbox);
    } else if (!await this.#tryLoad()) return;
    this.#list();
    if (!this.chosen) { if (WIDE.matches && this.#items.length) this.choose(); return; }
    if (!this.#items.some((item) => keyOf(item) === this.chosen)) this.question?.reload();
  }

  #list() {
    const place = this.#items.findIndex((item) => keyOf(item) === this.chosen);
    if (place >= 0) this.#at = place;
    this.views.select(this.view);
    this.list.show(this.#items, this.chosen, this.view);
    setText(this.count, countText(this.#items.length, this.#total));
    clearTimeout(this.claimTimer);
    const left = claimLeft({ approvals: this.#items });
    if (left) this.claimTimer = setTimeout(() => this.#list(), left);
  }

  /** Opens the next question, at the same place, if the decided one is still shown: its response may be late. */
  async #decided(decided, isOpen) {
    if (!isOpen) this.#done.add(decided);
    if (!await this.#tryLoad()) return;
    if (this.view !== "all") this.inbox.refresh();   // for the number in the rail
    if (this.chosen !== decided) return;
    const others = this.#items.filter((item) => keyOf(item) !== decided && !this.#done.has(keyOf(item)));
    const next = others[Math.min(this.#at, others.length - 1)];
    location.hash = next ? addressOfQuestion(next, this.view) : addressOfView(this.view);
  }

  #move(by) {
    const at = this.#items.findIndex((item) => keyOf(item) === this.chosen);
    const next = this.#items[at < 0 ? this.#at : at + by];
    if (next) location.hash = addressOfQuestion(next, this.view);
  }
}

/** Whether an address names the inbox and no question; `#/approvals` is its older form. */
const isOfInbox = ({ path }) => path === "/inbox" || path === "/approvals";

/** total: null if there are more, of which the number is unknown. */
const countText = (shown, total) => {
  if (!shown) return "";
  if (total === null) return `the oldest ${shown.toLocaleString()}`;
  return total > shown ? `the oldest ${shown} of ${total.toLocaleString()}` : String(shown);
};

function keysHint() {
  const key = (keys, text) => h("span", {}, keys.map((name) => h("kbd", {}, name)), text);
  const hint = h("p", { class: "keys", "aria-label": "Keys" },
    key(["J", "K"], "next, previous"), key(["A", "E", "R"], "approve, edit, reject"), key(["1", "9"], "choose"), key(["Ctrl ↵"], "send"));
  hint.hidden = !hasKeys();
  return hint;
}
