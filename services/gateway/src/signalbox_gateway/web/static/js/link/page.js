// The page of a decision link. It reads the token from the fragment, shows the question, and sends one decision.
import { AnswerForm } from "../approval/answer-form.js";
import { checkShown, loadCheck } from "../approval/signing.js";
import { policyText } from "../approval/votes.js";
import { addressOf } from "../data/api.js";
import { div, h, replace } from "../ui/dom.js";
import { full } from "../ui/format.js";

const main = document.getElementById("main");
const token = location.hash.slice(1);
// Opening another link in the same tab changes the fragment only.
addEventListener("hashchange", () => location.reload());
const TITLES = {
  link_invalid: "This link is not valid",
  link_expired: "This link has expired",
  link_used: "This link was used",
  link_stale: "The question has changed",
  already_decided: "Already decided",
  approval_expired: "The question has expired",
  withdrawn: "A decision is no longer needed",
  run_ended: "The run has ended",
  unknown_approval: "The question no longer exists",
};
const DONE = {
  recorded: "Your decision is recorded and will be applied.",
  counted: "Your vote is counted. Further votes are needed.",
};
// What a later attempt with the same link cannot change.
const isFinal = (problem) => problem.code in TITLES;

async function call(path, body) {
  let response;
  try {
    const headers = { "content-type": "application/json" };
    response = await fetch(addressOf(path), { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
  } catch {
    throw { code: "unreachable", detail: "The server does not respond; check your connection and try again." };
  }
  const content = await response.json().catch(() => ({ detail: `The server returned ${response.status}; try again later.` }));
  if (!response.ok) throw content;
  return content;
}

function showEnd(title, text) {
  document.title = title;
  replace(main, h("h1", {}, title), h("p", { class: "lead", role: "status" }, text));
}

function showProblem(problem) {
  showEnd(TITLES[problem.code] ?? "This did not work", problem.detail ?? "Try again later.");
}

function load() {
  call("/v1/links/question", { token }).then(showQuestion, (problem) => {
    showProblem(problem);
    const again = h("button", { type: "button", class: "button primary", onclick: load }, "Try again");
    if (!isFinal(problem)) main.append(h("p", { class: "actions" }, again));
  });
}

function showQuestion(question) {
  document.title = question.title;
  loadCheck();
  const form = new AnswerForm(question, null, { heading: "h2" });
  const trouble = h("p", { class: "field-problem", role: "alert" });
  const send = h("button", { type: "submit", class: "button primary" }, "Send decision");
  const facts = [question.run_title, `You are deciding as ${question.recipient}`, question.deadline_at ? `Deadline: ${full(question.deadline_at)}` : null];
  const element = h("form", { class: "panel", onsubmit: (event) => { event.preventDefault(); decide(question, form, send, trouble); } },
    form.element, trouble, div("actions", send));
  const rule = policyText(question.policy);
  replace(main, h("h1", {}, question.title), question.about ? h("p", { class: "approval-about" }, question.about) : null,
    h("p", { class: "lead" }, facts.filter(Boolean).join(" · ")),
    rule ? h("p", { class: "hint" }, `${rule[0].toUpperCase()}${rule.slice(1)}.`) : null, element,
    h("p", { class: "hint" }, "This link can be used once. Opening this page changes nothing."));
}

async function decide(question, form, send, trouble) {
  const problems = form.problems();
  form.show(problems);
  if (problems.length) return;
  send.disabled = true;
  replace(trouble);
  try {
    await checkShown(question);
    const { status } = await call("/v1/links/decision", { token, answer: form.read() });
    showEnd("Thank you", DONE[status] ?? "Your decision is accepted.");
  } catch (problem) {
    send.disabled = false;
    if (isFinal(problem)) { showProblem(problem); return; }
    const errors = (problem.errors ?? []).map((error) => ({ field: error.field, message: error.detail }));
    form.show(errors.map((error) => ({ ...error, field: (error.field ?? "").replace(/^answer\.?/, "") })));
    if (!errors.length) replace(trouble, problem.detail ?? problem.message ?? "This did not work; try again.");
  }
}

if (token) load();
else showProblem({ code: "link_invalid", detail: "Open the link exactly as it was sent to you." });
