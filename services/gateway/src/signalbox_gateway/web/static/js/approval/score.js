// A score with the features it consists of, and its label.
import { h, span } from "../ui/dom.js";
import { humane, number } from "../ui/format.js";

export function scoreView(score) {
  const features = score.features ?? [];
  const bar = span("score-fill");
  bar.style.setProperty("--part", `${share(score.points, 100)}%`);
  return h("details", { class: "score" },
    h("summary", {}, span("score-points", points(score.points)), span("score-of", "of 100"),
      h("span", { class: "score-bar", "aria-hidden": "true" }, bar), span("score-label", score.label)),
    h("ul", { class: "features" }, features.map(featureRow)));
}

function featureRow(feature) {
  const bar = span("score-fill");
  bar.style.setProperty("--part", `${share(feature.points, feature.max_points)}%`);
  return h("li", {}, span("feature-name", humane(feature.name)),
    span("feature-points", `${points(feature.points)} / ${points(feature.max_points)}`),
    h("span", { class: "score-bar", "aria-hidden": "true" }, bar), span("feature-why", feature.why));
}

const points = (value) => number(Math.round(value * 10) / 10);
const share = (value, most) => (most > 0 ? Math.min(100, Math.max(0, (value / most) * 100)) : 0);
