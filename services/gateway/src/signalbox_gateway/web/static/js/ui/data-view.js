// Any JSON value in readable form: names and values, lists, and text.
import { h, inertPicture, isInertPicture, outsideLink, span } from "./dom.js";
import { humane, number } from "./format.js";

const DEPTH = 6;

export function dataView(value, depth = 0) {
  if (value === null || value === undefined || value === "") return span("none", "none");
  if (typeof value === "boolean") return h("span", {}, value ? "yes" : "no");
  if (typeof value === "number") return span("numeral", number(value));
  if (typeof value === "string") return textView(value);
  if (depth >= DEPTH) return h("code", {}, JSON.stringify(value));
  if (Array.isArray(value)) return listView(value, depth);
  const row = ([name, item]) => h("div", {}, h("dt", {}, humane(name)), h("dd", {}, dataView(item, depth + 1)));
  return h("dl", { class: "data" }, Object.entries(value).map(row));
}

function textView(text) {
  if (isInertPicture(text)) return h("span", { class: "asked-picture" }, inertPicture(text, "Picture"));
  if (/^#[0-9a-f]{6}$/i.test(text)) {
    const chip = h("span", { class: "swatch", "aria-hidden": "true" });
    chip.style.setProperty("--colour", text);
    return span("colour", chip, h("code", {}, text));
  }
  return (/^https?:\/\/\S+$/.test(text) && outsideLink(text)) || h("span", { class: "text", dir: "auto" }, text);
}

function listView(items, depth) {
  if (items.length === 0) return span("none", "none");
  if (items.every((item) => /^#[0-9a-f]{6}$/i.test(item))) return span("colours", items.map(textView));
  if (items.every((item) => typeof item === "string")) return h("ul", { class: "lines" }, items.map((item) => h("li", { dir: "auto" }, item)));
  return h("ol", { class: "data-list" }, items.map((item) => h("li", {}, dataView(item, depth + 1))));
}
