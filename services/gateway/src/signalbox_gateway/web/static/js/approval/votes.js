// The policy of an approval and the votes so far, as text.
import { div, h } from "../ui/dom.js";
import { agoTime } from "../ui/ticker.js";

const who = (subject) => subject.name ?? subject.subject;
const places = ({ needed, group }) => `${needed} of ${group ?? "any group"}`;

/** "2 of marketing and 1 of legal must agree; not who started the run"; empty for the default policy. */
export function policyText(policy) {
  const quorum = policy?.quorum ?? [];
  const isSingle = quorum.length === 1 && quorum[0].needed === 1 && !quorum[0].group;
  const rules = [
    isSingle || !quorum.length ? "" : `${quorum.map(places).join(" and ")} must agree`,
    policy?.people?.length ? `only ${policy.people.join(", ")} may decide` : "",
    policy?.veto?.length ? `an objection of ${policy.veto.join(" or ")} ends the question` : "",
    policy?.exclude_starter ? "not who started the run" : "",
  ];
  return rules.filter(Boolean).join("; ");
}

/** "1 of 2 of marketing; 1 of legal still needed": how far the newest answer has come. */
export function progressText(quorum) {
  return quorum.map(({ needed, counted, group }) => {
    const of = group ? ` of ${group}` : "";
    return counted ? `${counted} of ${needed}${of}` : `${needed}${of} still needed`;
  }).join("; ");
}

/** The policy, who has voted, and what is still needed; empty without a policy and votes. */
export function votesView(approval) {
  const votes = approval.votes ?? [];
  const rule = policyText(approval.policy);
  const progress = votes.at(-1)?.quorum ?? [];
  const isOpen = approval.status === "pending";
  return div("votes",
    rule ? h("p", { class: "hint" }, `${rule[0].toUpperCase()}${rule.slice(1)}.`) : null,
    isOpen && progress.length ? h("p", {}, `Votes so far: ${progressText(progress)}.`) : null,
    votes.length ? h("ul", { class: "decisions" }, votes.map(voteLine)) : null);
}

function voteLine(vote) {
  const what = vote.objection ? `objected: ${vote.note}` : "answered";
  return h("li", { class: "decision" }, h("span", {}, `${who(vote.voted_by)} ${what}, `), agoTime(vote.voted_at));
}
