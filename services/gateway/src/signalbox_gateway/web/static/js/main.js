// The console: signs in, routes, and keeps the rail. Pages are functions that give
// {title, element, close?, navigate?, openDialog?, actions?}.
import { abortReads, api, whenSignedOut } from "./data/api.js";
import { clearDrafts } from "./data/drafts.js";
import { InboxWatch } from "./data/inbox-watch.js";
import { clearPresets } from "./data/presets.js";
import { clearViews } from "./runs/saved-views.js";
import { clearSession, forgetPrincipal, isSomebodyElse, session, storeSession, whenPrincipalChanges } from "./data/session.js";
import { findRoute, loadQuestionPages } from "./routes.js";
import { notifyOf } from "./shell/notifications.js";
import { openPalette } from "./shell/palette.js";
import { Rail } from "./shell/rail.js";
import { ScrollMemory } from "./shell/scroll-memory.js";
import { signInPage } from "./shell/sign-in.js";
import { clearToasts, problemNotice } from "./ui/announce.js";
import { forgetDialog, leaveRoute } from "./ui/dialog.js";
import { div, h, replace } from "./ui/dom.js";
import { REPLACED, parsePlace } from "./ui/place.js";
import { startTicking } from "./ui/ticker.js";
import { setPending, setTitle } from "./ui/title.js";

const SLOW_MS = 150;
const whenIdle = globalThis.requestIdleCallback ?? setTimeout;   // Safari has no idle callback

const main = document.getElementById("main");
const progress = document.getElementById("progress");
const scroll = new ScrollMemory();
const search = () => openPalette({ actions: () => current?.actions?.() ?? [], signOut });
const rail = new Rail(document.getElementById("rail"), { signOut, search });
const inbox = new InboxWatch({
  changed: (_, total) => { rail.showPending(total); setPending(total); },
  arrived: notifyOf,
});
let current = null;
let visit = 0;

async function show({ moveFocus = true, again = false } = {}) {
  const place = parsePlace();
  const route = findRoute(place);
  if (!again && current?.key === route.key && current.text === route.text) return;   // only the dialog has changed
  leaveRoute();
  scroll.leave();
  rail.select(route.section);
  if (!again && current?.key === route.key && current.navigate) {
    current.text = route.text;
    current.navigate(route);
    scroll.arrive();
    return;
  }
  await open(route, place, moveFocus);
}

async function open(route, place, moveFocus) {
  const mine = ++visit;
  current?.close?.();
  current = null;
  main.setAttribute("aria-busy", "true");
  const slow = setTimeout(showWaiting, SLOW_MS);
  let next;
  try {
    next = await route.page({
      ...route, inbox, inboxChanged: () => inbox.refresh(), reload: () => show({ again: true }),
    });
  } catch (problem) {
    if (problem.status === 401) return;
    next = { title: "Problem", element: problemPage(problem) };
  } finally { clearTimeout(slow); }
  if (mine !== visit) { next.close?.(); return; }
  // The page may have written a more exact address meanwhile, as the inbox does.
  enter(Object.assign(next, { key: route.key, text: findRoute(parsePlace()).text }), moveFocus);
  if (place.dialog && !next.openDialog?.(place.dialog) && parsePlace().dialog !== "search") forgetDialog();
  if (place.dialog === "search") search();
}

function showWaiting() {
  progress.hidden = false;
  if (main.childElementCount) return;
  replace(main, h("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: 8 }, () => h("i"))));
}

function enter(page, moveFocus) {
  current = page;
  clearToasts();
  progress.hidden = true;
  replace(main, page.element);
  main.removeAttribute("aria-busy");
  if (!page.titlesItself) setTitle(page.title);
  page.entered?.();
  scroll.arrive();
  if (session()) whenIdle(() => loadQuestionPages().catch(() => {}));   // it is loaded again when it is needed
  if (!moveFocus) return;
  const target = main.querySelector("[data-focus]") ?? main.querySelector("h1") ?? main;
  if (target.matches("h1")) target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}

function problemPage(problem) {
  return div("page narrow",
    h("h1", {}, problem.status === 404 ? "Not found" : "Something went wrong"), problemNotice(problem),
    h("p", { class: "actions" },
      h("button", { type: "button", class: "button primary", onclick: () => show({ again: true }) }, "Try again"),
      h("a", { class: "button", href: "#/" }, "All runs")));
}

/** Nothing may read with a session that ends: the gateway would refuse it. */
function endReads() {
  visit += 1;
  leaveRoute();
  inbox.stop();
  current?.close?.();
  current = null;
  abortReads();
}

/** problem: why signing out has failed, or null. */
function showSignIn(problem = null) {
  endReads();
  clearSession();
  rail.signedOut();
  enter(signInPage({ done: signedIn, problem }), true);
}

function signedIn(given) {
  storeSession(given);
  if (isSomebodyElse()) clearKept();
  current = null;
  replace(main);
  rail.signedIn(given);
  inbox.start();
  show();
}

/** Removes what a person has left in this browser. */
function clearKept() {
  clearDrafts({ all: true });
  clearPresets();
  clearViews();
}

async function signOut() {
  clearKept();
  forgetPrincipal();
  endReads();
  await api.signOut().then(() => showSignIn(), showSignIn);
}

whenSignedOut(() => showSignIn());
whenPrincipalChanges(() => location.reload());
addEventListener("hashchange", () => { if (session()) show(); });
// The page shows that query already; a link to its address without the query is a change.
addEventListener(REPLACED, () => { if (current) current.text = findRoute(parsePlace()).text; });
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k" || !session()) return;
  event.preventDefault();
  if (!document.querySelector("dialog[open]")) search();
});
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
startTicking();
clearDrafts();
if (session()) {
  isSomebodyElse();
  rail.signedIn(session());
  inbox.start();
  show({ moveFocus: false });
} else showSignIn();
