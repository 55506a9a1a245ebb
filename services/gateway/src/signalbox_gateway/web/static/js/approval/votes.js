// The policy of an approval, the votes so far, and what is still needed, in words.
import { session } from "../data/session.js";
import { div, h, span } from "../ui/dom.js";
import { clock, humane } from "../ui/format.js";
import { agoTime } from "../ui/ticker.js";
import { decidedSummary } from "./decided.js";

const MAX_MEMBERS = 3;

const who = (subject) => subject.name ?? subject.subject;
const places = ({ needed, group }) => `${needed} of ${group ?? "any group"}`;

/** "2 of marketing and 1 of legal must agree; the starter may not decide"; empty for the default policy. */
export function policyText(policy) {
  const quorum = policy?.quorum ?? [];
  const isSingle = quorum.length === 1 && quorum[0].needed === 1 && !quorum[0].group;
  const rules = [
    isSingle || !quorum.length ? "" : `${quorum.map(places).join(" and ")} must agree`,
    policy?.people?.length ? `only ${policy.people.join(", ")} may decide` : "",
    policy?.veto?.length ? `an objection of ${policy.veto.join(" or ")} ends the question` : "",
    policy?.require_signature ? "every decision is signed with a passkey" : "",
    policy?.exclude_starter ? "the starter may not decide" : "",
  ];
  return rules.filter(Boolean).join("; ");
}

/** "1 of 2 of marketing; 1 of legal still needed": how far an answer has come. */
function progressText(quorum) {
  return quorum.map(({ needed, counted = 0, group }) => {
    const of = group ? ` of ${group}` : "";
    return counted ? `${counted} of ${needed}${of}` : `${needed}${of} still needed`;
  }).join("; ");
}

/** An answer in short: "1 approved", or its first members. */
export function answerText(answer) {
  if (answer === null || typeof answer !== "object") return String(answer ?? "");
  const members = Object.entries(answer).filter(([, value]) => value !== null && typeof value !== "object");
  return decidedSummary({ answer }) || members.slice(0, MAX_MEMBERS).map(([name, value]) => `${humane(name)}: ${value}`).join(", ");
}

/** The policy, who has voted, what is still needed, and who deals with the question; empty without any of these. */
export function votesView(approval) {
  const rule = policyText(approval.policy);
  const votes = rule ? approval.votes ?? [] : [];
  const isOpen = approval.status === "pending";
  return div("votes",
    rule ? h("p", { class: "hint" }, `${rule[0].toUpperCase()}${rule.slice(1)}.`) : null,
    votes.length ? h("ul", { class: "vote-list", "aria-label": "Votes" }, votes.map(voteLine)) : null,
    rule && isOpen ? h("p", { class: "votes-needed" }, needText(approval)) : null,
    (approval.refused ?? []).map((vote) => h("p", {}, `The vote of ${who(vote.voted_by)} was refused: ${vote.reason}.`)),
    isOpen && isClaimed(approval) ? h("p", {}, `${who(approval.claim.by)} is deciding, until ${clock(approval.claim.until)}.`) : null,
    isOpen && approval.handed_to ? h("p", {}, `Handed over to ${approval.handed_to}.`) : null);
}

/** Whether someone deals with the question; a claim has no effect after its end. */
export const isClaimed = ({ claim }) => Boolean(claim) && Date.parse(claim.until) > Date.now();

function needText({ policy, votes = [] }) {
  const newest = votes.findLast((vote) => vote.quorum?.length);
  const start = newest ? "The newest answer has" : "No answer has votes yet:";
  return `${start} ${progressText(newest?.quorum ?? policy.quorum ?? [])}.`;
}

function voteLine(vote) {
  const text = answerText(vote.answer);
  const what = vote.objection ? ["objected: ", vote.note] : ["answered", text ? ` “${text}”` : "", vote.group ? ` for ${vote.group}` : ""];
  const isOwn = vote.voted_by.subject === session()?.subject;
  return h("li", { class: "vote", data: vote.objection ? { objection: "" } : {} }, h("strong", {}, who(vote.voted_by)), isOwn ? " (you)" : "", " ", what, span("hint", " · ", agoTime(vote.voted_at)));
}
