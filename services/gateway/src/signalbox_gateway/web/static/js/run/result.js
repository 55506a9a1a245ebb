// A run's result: items with pictures as cards, other values as a list, and the complete data on demand.
import { div, h } from "../ui/dom.js";
import { humane } from "../ui/format.js";
import { copyView, variantHead } from "../approval/copy.js";
import { dataView } from "../ui/data-view.js";
import { importView, isImport } from "./import-view.js";
import { PictureStage } from "../approval/pictures.js";
import { scoreView } from "../approval/score.js";

export function resultView(runId, result) {
  if (result === null || typeof result !== "object" || Array.isArray(result)) return div("result", dataView(result));
  if (isImport(result)) return importView(result);
  const members = Object.entries(result);
  const pictured = members.filter(([, value]) => isPictured(value));
  if (pictured.length === 0) return div("result", dataView(result));
  const rest = members.filter(([, value]) => !isPictured(value) && !isEmpty(value));
  return div("result",
    pictured.map(([name, items]) => h("div", {},
      h("h3", {}, `${humane(name)} (${items.length})`), div("result-cards", items.map((item) => card(runId, item))))),
    rest.length ? dataView(Object.fromEntries(rest)) : null,
    h("details", { class: "whole" }, h("summary", {}, "Complete result as data"), dataView(result)));
}

const isPictured = (value) => Array.isArray(value) && value.length > 0 && value.every((item) => Array.isArray(item?.pictures));
const isEmpty = (value) => value === null || value === "" || (Array.isArray(value) && value.length === 0);

function card(runId, item) {
  const score = item.score ? scoreView(item.score) : null;
  return h("article", { class: "result-card" }, new PictureStage(runId, item).element, variantHead(item), copyView(item), score);
}
