// The console: signs in, routes, and keeps the bar. Pages are functions that give {title, element, close?}.
import { api, whenSignedOut } from "./api.js";
import { Bar } from "./bar.js";
import { clearToasts, problemNotice } from "./announce.js";
import { leaveRoute } from "./dialog.js";
import { div, h, replace } from "./dom.js";
import { clearDrafts } from "./drafts.js";
import { autoscalerPage } from "./pages/autoscaler.js";
import { inboxPage } from "./pages/inbox.js";
import { runPage } from "./pages/run.js";
import { runsPage } from "./pages/runs.js";
import { signInPage } from "./pages/sign-in.js";
import { pipelinesPage, startPage } from "./pages/start.js";
import { clearSession, session, storeSession } from "./session.js";
import { startTicking } from "./ticker.js";

const ROUTES = [
  [/^\/?$/, "runs", runsPage],
  [/^\/start$/, "start", pipelinesPage],
  [/^\/start\/([^/]+)$/, "start", startPage],
  [/^\/runs\/([^/]+)$/, "runs", runPage],
  [/^\/approvals$/, "approvals", inboxPage],
  [/^\/autoscaler$/, "autoscaler", autoscalerPage],
];

const main = document.getElementById("main");
const top = new Bar(document.getElementById("bar"), { signOut });
let current = null;
let visit = 0;

function place() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  for (const [pattern, section, page] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { section, page, parts: match.slice(1).map(decodeURIComponent), query: new URLSearchParams(query) };
  }
  return { section: "", page: missingPage, parts: [], query: new URLSearchParams() };
}

async function show({ moveFocus = true } = {}) {
  const mine = ++visit;
  leaveRoute();
  const { section, page, parts, query } = place();
  top.select(section);
  current?.close?.();
  current = null;
  main.setAttribute("aria-busy", "true");
  let next;
  try {
    next = await page({ parts, query, inboxChanged: () => top.refreshInbox() });
  } catch (problem) {
    if (problem.status === 401) return;
    next = { title: "Problem", element: problemPage(problem) };
  }
  if (mine !== visit) { next.close?.(); return; }
  enter(next, moveFocus);
}

function enter(page, moveFocus) {
  current = page;
  clearToasts();
  replace(main, page.element);
  main.removeAttribute("aria-busy");
  if (!page.titlesItself) document.title = `${page.title} · Signalbox`;
  window.scrollTo(0, 0);
  if (!moveFocus) return;
  const target = main.querySelector("[data-focus]") ?? main.querySelector("h1") ?? main;
  if (target.matches("h1")) target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}

function problemPage(problem) {
  return div("page narrow",
    h("h1", {}, problem.status === 404 ? "Not found" : "Something went wrong"), problemNotice(problem),
    h("p", { class: "actions" },
      h("button", { type: "button", class: "button primary", onclick: () => show() }, "Try again"),
      h("a", { class: "button", href: "#/" }, "All runs")));
}

function missingPage() {
  return { title: "Not found", element: div("page narrow", h("h1", {}, "Page not found"), h("p", {}, h("a", { href: "#/" }, "All runs"))) };
}

function showSignIn() {
  visit += 1;
  leaveRoute();
  current?.close?.();
  clearSession();
  top.signedOut();
  enter(signInPage({ done: (given) => { storeSession(given); top.signedIn(given); show(); } }), true);
}

async function signOut() {
  clearDrafts({ all: true });
  try { await api.signOut(); } finally { showSignIn(); }
}

whenSignedOut(showSignIn);
window.addEventListener("hashchange", () => show());
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
startTicking();
clearDrafts();
if (session()) {
  top.signedIn(session());
  show({ moveFocus: false });
} else showSignIn();
