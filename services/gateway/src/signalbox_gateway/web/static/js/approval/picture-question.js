// A question about an embedded picture: the picture, the reason, and its deadline.
import { div, h, inertPicture, isInertPicture } from "../ui/dom.js";
import { full, plural } from "../ui/format.js";
import { leftTime } from "../ui/ticker.js";

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

/** Null when the evidence contains no picture. */
export function pictureQuestion(evidence) {
  if (!isInertPicture(evidence?.picture)) return null;
  const { picture, alt, why, tax_code: taxCode, expires_at: until, tries_left: tries } = evidence;
  const facts = [
    taxCode ? h("span", {}, "Tax code ", h("code", {}, taxCode)) : null,
    until ? h("span", {}, h("span", { class: "visually-hidden" }, `Valid until ${full(until)}`), leftTime(until)) : null,
    Number.isInteger(tries) ? h("span", {}, `${plural(tries, "try", "tries")} left`) : null,
  ];
  return h("figure", { class: "picture-question" },
    div("asked-picture", inertPicture(picture, alt || "The picture of this question")),
    h("figcaption", {}, why ? h("p", {}, sentence(why)) : null, h("p", { class: "picture-facts" }, facts)));
}
