// An invoice import: months, totals by tax rate, failures and differences.
import { artifactPath, call } from "../data/api.js";
import { div, h, replace, span } from "../ui/dom.js";
import { amount, plural } from "../ui/format.js";

const TABLE = "table.json";
const DIRECTIONS = { purchase: "Purchases", sold: "Sales" };
const FAMILIES = { cash_register: "cash register" };
const PARTS = { detail: "detail", xml: "original" };
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const COLUMNS = ["Listed", "Details", "Originals", "No original", "Failed", "Differ"];

/** The months so far, reloaded whenever the run has written a new version. Hidden while empty. */
export class ImportMonths {
  #read = null;
  #reading = null;

  constructor(runId) {
    this.runId = runId;
    this.body = div("");
    this.element = h("section", { class: "panel", hidden: true, "aria-labelledby": "months-title" },
      h("h2", { id: "months-title" }, "Months"), this.body);
  }

  update(snapshot) {
    if (snapshot.result?.months) { this.#show(snapshot.result.months); return; }
    const artifact = snapshot.artifacts.find((item) => item.name === TABLE);
    const version = artifact && `${artifact.url ?? ""}${artifact.key ?? ""}${artifact.size_bytes}`;
    if (!artifact || version === this.#read) return;
    this.#read = version;
    this.#load();
  }

  async #load() {
    this.#reading?.abort();
    this.#reading = new AbortController();
    try {
      const { body } = await call("GET", artifactPath(this.runId, TABLE), { signal: this.#reading.signal });
      this.#show(body.months);
    } catch { this.#read = null; }   // retried at the next change; the previous table stays
  }

  #show(months) {
    this.element.hidden = months.length === 0;
    replace(this.body, monthTable(months));
  }
}

/** Whether a result is an import's, by its shape and not by the pipeline's name. */
export const isImport = (result) => Array.isArray(result?.months) && Array.isArray(result?.totals) && Array.isArray(result?.rates);

export function importView(result) {
  return div("result import",
    h("p", { class: "lead" }, summary(result)),
    totalsView(result),
    failures(result),
    mismatches(result));
}

function summary(result) {
  const parts = [
    `${plural(result.rows, "invoice")} listed`, `${amount(result.xml)} originals stored`,
    result.no_original ? `${amount(result.no_original)} without an original` : null,
    result.missing ? `${amount(result.missing)} counted by the portal but not listed` : null,
    result.failed ? `${amount(result.failed)} failed` : null,
    result.mismatches ? `${plural(result.mismatches, "difference")} between list and original` : null,
  ];
  return `${parts.filter(Boolean).join(", ")}.`;
}

function monthTable(months) {
  const rows = months.map((line, index) => {
    const first = index === 0 || months[index - 1].month !== line.month;
    const kind = line.family === "ordinary" ? null : span("kind", FAMILIES[line.family] ?? line.family);
    const head = h("th", { scope: "row", class: first ? "month" : "month same" },
      span(first ? "" : "visually-hidden", monthName(line.month)));
    const name = h("td", {}, DIRECTIONS[line.direction] ?? line.direction, kind);
    if (line.rows === null || line.note) {
      return h("tr", {}, head, name, h("td", { colspan: COLUMNS.length, class: "note" }, line.note ?? "not listed yet"));
    }
    return h("tr", {}, head, name, cells(line));
  });
  return scrolling("Table of months", ["Month", "Kind", ...COLUMNS], rows);
}

function cells(line) {
  const listed = line.missing ? `${amount(line.rows)} (${amount(line.missing)} missing)` : amount(line.rows);
  const wanted = Math.max(0, line.rows - line.no_original - line.failed);
  return [
    h("td", { class: "figure" }, listed),
    h("td", { class: "figure" }, portion(line.details, line.rows)),
    h("td", { class: "figure" }, portion(line.xml, wanted)),
    figure(line.no_original), figure(line.failed, "bad"), figure(line.mismatches, "odd"),
  ];
}

/** "150 / 412" with a bar until complete; then only the number. */
function portion(done, of) {
  if (done >= of) return amount(done);
  const fill = span("meter-fill");
  fill.style.setProperty("--part", `${(100 * done) / of}%`);
  return [`${amount(done)} / ${amount(of)}`, h("span", { class: "meter", "aria-hidden": "true" }, fill)];
}

function totalsView(result) {
  return result.totals.map((total) => {
    const own = result.rates.filter((rate) => rate.direction === total.direction && rate.currency === total.currency);
    const title = `${DIRECTIONS[total.direction] ?? total.direction} by tax rate`;
    const left = total.excluded ? `; ${amount(total.excluded)} replaced or cancelled invoices are excluded` : "";
    const rows = own.map((rate) => h("tr", {},
      h("th", { scope: "row" }, rateName(rate.rate)), figure(rate.invoices), money(rate.net), money(rate.tax)));
    const sum = h("tr", { class: "sum" },
      h("th", { scope: "row" }, "All"), figure(total.counted), money(total.net), money(total.tax));
    return h("div", {}, h("h3", {}, title),
      scrolling(title, ["Rate", "Invoices", `Net, ${total.currency}`, `Tax, ${total.currency}`], [...rows, sum]),
      h("p", { class: "hint" }, `Amount due: ${amount(total.gross)} ${total.currency}, over ${plural(total.counted, "invoice")}${left}.`));
  });
}

function failures(result) {
  if (!result.first_failed?.length) return null;
  const title = "Failures";
  const rows = result.first_failed.map((item) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, item.key)),
    h("td", {}, monthName(item.month)), h("td", {}, PARTS[item.part] ?? item.part),
    h("td", { class: "why" }, item.message, " ", h("code", {}, item.code))));
  return h("div", {}, h("h3", {}, title), scrolling(title, ["Invoice", "Month", "Part", "Reason"], rows),
    more(result.failed, result.first_failed, "failed.csv"));
}

function mismatches(result) {
  if (!result.first_mismatches?.length) return null;
  const title = "Differences between list and original";
  const rows = result.first_mismatches.map((item) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, item.key)),
    h("td", {}, monthName(item.month)), h("td", {}, item.field), money(item.listed), money(item.original)));
  return h("div", {}, h("h3", {}, title),
    scrolling(title, ["Invoice", "Month", "Field", "List", "Original"], rows),
    more(result.mismatches, result.first_mismatches, "mismatches.csv"));
}

const more = (all, shown, file) =>
  (all > shown.length ? h("p", { class: "hint" }, `${amount(all - shown.length)} more are in ${file}.`) : null);

/** A table that scrolls horizontally in a narrow window, also with the keyboard. */
function scrolling(name, heads, rows) {
  const isFigure = (text) => COLUMNS.includes(text) || /^(Invoices|Net|Tax|List|Original)\b/.test(text);
  const head = heads.map((text) => h("th", { scope: "col", class: isFigure(text) ? "figure" : null }, text));
  return h("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": name },
    h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

const figure = (count, kind = "") => h("td", { class: `figure ${count ? kind : "nil"}`.trim() }, amount(count));
const money = (text) => h("td", { class: "figure" }, amount(text));

const RATES = { KCT: "Not taxable (KCT)", KKKNT: "Not declared (KKKNT)", KHAC: "Other (KHAC)" };
const rateName = (rate) => RATES[rate] ?? rate.replace("%", "\u00a0%");

function monthName(month) {
  const [year, number] = month.split("-");
  return `${MONTHS[Number(number) - 1] ?? number} ${year}`;
}
