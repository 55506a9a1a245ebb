// The top bar: navigation, number of pending approvals, theme, sign out.
import { api } from "./api.js";
import { div, h, replace, setText, span } from "./dom.js";
import { iconButton } from "./icons.js";
import { may } from "./session.js";
import { themeButton } from "./theme.js";

const INBOX_EVERY_MS = 15_000;

export class Bar {
  #timer = 0;

  constructor(element, { signOut }) {
    this.badge = h("span", { class: "badge", hidden: true });
    this.links = {
      runs: h("a", { href: "#/" }, "Runs"),
      approvals: h("a", { href: "#/approvals" }, "Approvals", this.badge),
      start: h("a", { href: "#/start" }, "Start a run"),
      autoscaler: h("a", { href: "#/autoscaler" }, "Autoscaler"),
    };
    this.who = span("who");
    this.nav = h("nav", { "aria-label": "Main" }, h("ul", {}, Object.values(this.links).map((link) => h("li", {}, link))));
    this.leave = iconButton("Sign out", "out", signOut);
    const brand = h(
      "a", { class: "brand", href: "#/", "aria-label": "Signalbox, all runs" },
      h("span", { class: "brand-mark", "aria-hidden": "true" }), "Signalbox",
    );
    replace(element, div("bar-inner", brand, this.nav, div("bar-end", this.who, themeButton(), this.leave)));
    this.signedOut();
  }

  signedIn(session) {
    setText(this.who, [session.name, session.tenant].filter(Boolean).join(" · "));
    this.#setSignedIn(true);
    this.links.autoscaler.parentElement.hidden = !may("deployment_operator");
    this.refreshInbox();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => { if (!document.hidden) this.refreshInbox(); }, INBOX_EVERY_MS);
  }

  signedOut() {
    clearInterval(this.#timer);
    this.#setSignedIn(false);
  }

  select(section) {
    for (const [name, link] of Object.entries(this.links)) {
      if (name === section) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async refreshInbox() {
    try {
      const count = (await api.approvals()).approvals.length;
      this.badge.hidden = count === 0;
      setText(this.badge, String(count));
      this.links.approvals.setAttribute("aria-label", count ? `Approvals, ${count} pending` : "Approvals");
    } catch { /* the current page shows the error */ }
  }

  #setSignedIn(signedIn) {
    this.nav.hidden = this.leave.hidden = this.who.hidden = !signedIn;
  }
}
