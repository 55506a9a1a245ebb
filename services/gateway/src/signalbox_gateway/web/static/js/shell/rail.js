// The rail: search, navigation, the signed-in principal, theme, sign out. On phones it is a row of tabs.
import { BASE } from "../data/api.js";
import { may } from "../data/session.js";
import { div, h, replace, setText, span } from "../ui/dom.js";
import { icon, iconButton } from "../ui/icons.js";
import { stored, store } from "../ui/preferences.js";
import { themeButton } from "../ui/theme.js";

const FOLDED = "signalbox.rail";
const NARROW = "(max-width: 60rem)";

export class Rail {
  constructor(element, { signOut, search }) {
    this.element = element;
    this.badge = h("span", { class: "badge", hidden: true });
    this.links = {
      inbox: link("#/inbox", "inbox", "Inbox", this.badge),
      runs: link("#/", "runs", "Runs"),
      pipelines: link("#/pipelines", "pipelines", "Pipelines"),
      schedules: link("#/schedules", "schedules", "Schedules"),
      activity: link("#/activity", "activity", "Activity"),
      system: link("#/system", "system", "System"),
    };
    this.who = h("a", { class: "who", href: "#/passkeys" });
    const nav = h("nav", { "aria-label": "Main" }, h("ul", {}, Object.values(this.links).map((item) => h("li", {}, item))));
    this.brand = h("a", { class: "brand", href: "#/", "aria-label": "Signalbox, all runs" },
      h("span", { class: "brand-mark", "aria-hidden": "true" }), span("brand-name", "Signalbox"));
    const field = h("button", { type: "button", class: "rail-search", onclick: search, "aria-keyshortcuts": "Control+K" },
      icon("search"), span("rail-label", "Search"), h("kbd", { "aria-hidden": "true" }, "Ctrl K"));
    this.fold = iconButton("Fold the navigation", "fold", () => this.#setFolded(document.body.dataset.rail !== "folded", true));
    this.fold.classList.add("fold");
    replace(element, div("rail-top", this.brand), field, nav,
      div("rail-end", this.who, themeButton(), iconButton("Sign out", "out", signOut), this.fold));
    const narrow = matchMedia(NARROW);
    const fit = () => this.#setFolded(narrow.matches || stored(FOLDED) === "folded", false);
    narrow.addEventListener("change", fit);
    fit();
  }

  signedIn(session) {
    this.links.activity.parentElement.hidden = !may("viewer");
    setText(this.who, [session.name, session.tenant].filter(Boolean).join(" · "));
    this.who.setAttribute("title", `${this.who.textContent}: your passkeys`);
    document.body.dataset.signedIn = "";
    this.element.hidden = false;
  }

  signedOut() {
    delete document.body.dataset.signedIn;
    this.element.hidden = true;
  }

  select(section) {
    for (const [name, item] of Object.entries(this.links)) {
      if (name === section) item.setAttribute("aria-current", "page");
      else item.removeAttribute("aria-current");
    }
  }

  /** Shows how many approvals are pending: in the navigation, the brand and the browser's tab. */
  showPending(count) {
    this.badge.hidden = count === 0;
    setText(this.badge, count > 99 ? "99+" : String(count));
    this.links.inbox.setAttribute("aria-label", count ? `Inbox, ${count} pending` : "Inbox");
    this.brand.toggleAttribute("data-waiting", count > 0);
    const file = count ? "favicon-waiting.svg" : "favicon.svg";
    document.getElementById("favicon").setAttribute("href", `${BASE}console/${file}`);
  }

  #setFolded(folded, isChoice) {
    if (folded) document.body.dataset.rail = "folded";
    else delete document.body.dataset.rail;
    const label = folded ? "Unfold the navigation" : "Fold the navigation";
    this.fold.setAttribute("aria-label", label);
    this.fold.setAttribute("title", label);
    if (isChoice) store(FOLDED, folded ? "folded" : null);
  }
}

function link(href, name, text, ...more) {
  return h("a", { href, title: text }, icon(name), span("rail-label", text), more);
}
