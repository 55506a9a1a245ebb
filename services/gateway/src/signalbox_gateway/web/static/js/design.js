// The page that shows the tokens and the parts of the console in light, dark and high contrast.
import { div, h, replace, span } from "./ui/dom.js";
import { iconButton } from "./ui/icons.js";
import { statusSign } from "./ui/status.js";
import { RunRow } from "./runs/run-row.js";
import { StepList } from "./run/steps.js";

const THEMES = [["Light", "light", null], ["Dark", "dark", null], ["High contrast, light", "light", "more"], ["High contrast, dark", "dark", "more"]];
const GREYS = ["ground", "rail", "panel", "inset", "pressed", "rule", "rule-strong", "field-edge", "ink-3", "ink-2", "ink"];
const COLOURS = [
  "accent", "accent-fill", "accent-wash", "running-fill", "clear-fill", "clear-wash", "attention-fill", "attention-wash", "danger-fill",
  "danger-wash", "idle-fill",
];
const STATES = ["queued", "running", "attention", "paused", "completed", "failed", "cancelled"];
const LINES = [
  { run_id: "run-1m39eaby42e03apg42gaac0w8g", status: "running", waiting: true, done: 4, total: 6 },
  { run_id: "run-0zbx1spjkm2jtez2gs1s98pnx9", status: "completed", done: 3, total: 3 },
];

const token = (name) => {
  const patch = h("i");
  patch.style.setProperty("--shown", `var(--${name})`);
  return div("design-token", patch, name);
};
const part = (title, ...body) => h("section", { class: "design-part" }, h("h3", {}, title), body);
const button = (text, kind = "") => h("button", { type: "button", class: `button ${kind}`.trim() }, text);

function buttons() {
  return part("Buttons", div("design-row",
    button("Start a run", "primary"), button("Copy"), button("Cancel the run", "danger"), button("Clear", "quiet"), button("3 new runs", "pill"),
    iconButton("Copy run id", "copy", () => {}), span("badge", "4")));
}

function fields(theme) {
  const field = (id, label, attributes, problem) => div("field",
    h("label", { for: `${theme}-${id}` }, label), h("input", { type: "text", id: `${theme}-${id}`, ...attributes }),
    h("p", { class: "problem" }, problem ?? ""));
  return part("Fields", div("design-row",
    field("page", "Page", { placeholder: "https://shop.example/coffee" }),
    field("count", "Variants", { value: "11", "aria-invalid": "true" }, "Enter at most 10.")));
}

function rows(theme) {
  const list = h("ol", { class: "runs" });
  const height = 36;
  list.style.setProperty("--height", `${LINES.length * height}px`);
  for (const [index, { done, total, ...line }] of LINES.entries()) {
    const run = { pipeline: "ad_creative", started_by: "Lan", started_at: "2026-03-01T09:30:00Z", ended_at: "2026-03-01T09:31:12Z", ...line };
    const row = new RunRow(run, "Ad creative", { picked: () => {} });
    row.update(run, { done, total, percent: (done / total) * 100 }, false);
    row.element.style.setProperty("--top", `${index * height}px`);
    list.append(row.element);
  }
  const table = div("runs-table", list);
  return part("Rows", h("div", { class: "design-scroll", tabindex: "0", role: "region", "aria-label": `Rows, ${theme}` }, table));
}

function steps() {
  const step = (name, title, status, more) => ({ name, title, status, percent: null, message: null, attempt: 1, started_at: null, ended_at: null, ...more });
  const list = new StepList();
  list.update({
    status: "running", approvals: [{ status: "pending", step: "decide" }],
    steps: [
      step("read", "Đọc trang sản phẩm", "completed", { message: "4 pictures, 3 benefits" }), step("render", "Render the ads", "running", { percent: 64 }),
      step("decide", "Your decision", "running"), step("publish", "Publish", "pending"),
    ],
  });
  return part("Steps", list.element);
}

function theme([title, scheme, contrast]) {
  return h("section", { class: "design-theme", data: { scheme, ...(contrast ? { contrast } : {}) }, "aria-label": title },
    h("h2", {}, title), part("Greys and ink", div("design-row", GREYS.map(token))), part("Accent and state", div("design-row", COLOURS.map(token))),
    part("Type", h("h1", { role: "presentation" }, "Sáng chậm rãi từ Đà Lạt"), h("p", {}, "Body, 14 px. A run survives any crash."),
      h("p", { class: "hint" }, "Small, 13 px. Started by Lan, 12 min ago."), h("p", {}, h("code", {}, "run-1m39eaby42e03apg42gaac0w8g"))),
    buttons(), fields(`${scheme}${contrast ?? ""}`), part("States", div("design-row", STATES.map((state) => statusSign(state).element))), rows(title), steps(),
    part("Notices", div("notice", h("p", {}, "Your own draft is kept below.")), div("notice notice-error", h("p", {}, "Enter at most 10."))));
}

replace(document.getElementById("main"),
  h("h1", { class: "design-title" }, "Design of the console"), div("design", THEMES.map(theme)));
