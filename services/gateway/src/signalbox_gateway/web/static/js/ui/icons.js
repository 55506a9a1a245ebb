// Line icons, 16 × 16, stroke only; always decorative: the control has the accessible name.
import { h, svg } from "./dom.js";

const PATHS = {
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  cancel: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5l3.2 3.2L13 4.8",
  edit: "M3 13l.7-3L10.8 2.9l2.3 2.3L6 12.3z",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  download: "M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M3 13.5h10",
  expand: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5l-5 5M2.5 13.5l5-5",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15"
    + "M3 3l1.2 1.2M11.8 11.8L13 13M3 13l1.2-1.2M11.8 4.2L13 3",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6z",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  out: "M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6",
  plus: "M8 3v10M3 8h10",
  file: "M4 1.8h5l3 3v9.4H4zM9 1.8v3h3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.2 3.2",
  inbox: "M2.5 9.5L4.3 3h7.4l1.8 6.5v3.5h-11zM2.5 9.5h3.2l.8 1.5h3l.8-1.5h3.2",
  runs: "M2.5 4h1M6 4h7.5M2.5 8h1M6 8h7.5M2.5 12h1M6 12h7.5",
  pipelines: "M2.5 3h4v4h-4zM9.5 9h4v4h-4zM6.5 5h3a2 2 0 0 1 2 2v2",
  schedules: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3l2 1.5",
  activity: "M1.5 8h3l2-5 3 10 2-5h3",
  system: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  fold: "M2.5 3h11v10h-11zM6 3v10",
  bell: "M8 2a3.5 3.5 0 0 0-3.5 3.5c0 3-1.5 4-1.5 5.5h10c0-1.5-1.5-2.5-1.5-5.5A3.5 3.5 0 0 0 8 2zM6.8 13.2a1.3 1.3 0 0 0 2.4 0",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
};

const STROKE = { fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" };

export function icon(name) {
  return svg(
    "svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name], ...STROKE }),
  );
}

/** A button that shows only an icon; `label` is its accessible name. */
export function iconButton(label, name, onclick) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick }, icon(name));
}
