// The text of a variant, and its heading: variant, version, style and author.
import { div, h, span } from "../ui/dom.js";
import { humane } from "../ui/format.js";

export function variantHead(option, { id = null, number = null } = {}) {
  const facts = [option.version > 1 ? `version ${option.version}` : null, option.style ? humane(option.style) : null].filter(Boolean);
  return div("variant-head",
    h("h3", { id }, span("plate", option.variant ?? "?"), number ? span("visually-hidden", ` Variant ${number}`) : null),
    span("variant-facts", facts.join(" · ")),
    option.written_by ? h("span", { class: "tag", title: "Author of this text" }, option.written_by) : null);
}

export function copyView(option) {
  // The first letter decides the direction: an Arabic or Hebrew text runs from right to left.
  return h("div", { class: "copy", dir: "auto" },
    option.headline ? h("p", { class: "copy-headline" }, option.headline) : null,
    option.body ? h("p", { class: "copy-body" }, option.body) : null,
    option.cta ? h("p", { class: "copy-cta" }, span("visually-hidden", "Button: "), option.cta) : null);
}
