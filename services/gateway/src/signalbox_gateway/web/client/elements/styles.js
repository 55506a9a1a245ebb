// The style sheet of the elements. A page sets the --signalbox-* properties, or styles the parts.

const CSS = `
  :host {
    --ink: var(--signalbox-ink, light-dark(#17171a, #f0f0f2));
    --ink-2: var(--signalbox-ink-2, light-dark(#4b4b55, #b4b6bf));
    --ground: var(--signalbox-ground, light-dark(#ffffff, #15161a));
    --rule: var(--signalbox-rule, light-dark(#d3d3d9, #363942));
    --edge: var(--signalbox-field-edge, light-dark(#86868f, #6f7380));
    --accent: var(--signalbox-accent, light-dark(#4f53e2, #5a5ee6));
    --accent-ink: var(--signalbox-accent-ink, #ffffff);
    --danger: var(--signalbox-danger, light-dark(#b3261c, #ff9a90));
    --good: var(--signalbox-good, light-dark(#13693f, #6fdca4));
    --radius: var(--signalbox-radius, 8px);
    display: block; color: var(--ink); background: var(--ground); border: 1px solid var(--rule);
    border-radius: var(--radius); padding: 16px; font: var(--signalbox-font, 14px/1.45 system-ui, sans-serif);
  }
  :host([hidden]) { display: none; }
  :host([theme="light"]) { color-scheme: light; }
  :host([theme="dark"]) { color-scheme: dark; }
  :host([theme="auto"]) { color-scheme: light dark; }
  h2, h3, p, ol, ul, fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
  h2 { font-size: 1.1em; font-weight: 600; }
  h3, legend, label { font-size: 1em; font-weight: 600; padding: 0; }
  ol, ul { list-style: none; }
  .head { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; justify-content: space-between; }
  .note, .hint { color: var(--ink-2); }
  .stack { display: grid; gap: 12px; margin-top: 12px; }
  .step { display: grid; grid-template-columns: 1fr auto; gap: 2px 12px; }
  .step progress { grid-column: 1 / -1; width: 100%; accent-color: var(--accent); }
  .step p { grid-column: 1 / -1; }
  .field { display: grid; gap: 4px; }
  .field.flag, .choices label { display: flex; gap: 8px; align-items: baseline; font-weight: 400; }
  .choices { display: grid; gap: 4px; }
  input:not([type="checkbox"]), select, textarea {
    font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--edge);
    border-radius: calc(var(--radius) / 2); padding: 6px 8px; width: 100%; box-sizing: border-box;
  }
  textarea { min-height: 5em; resize: vertical; }
  [aria-invalid="true"] { border-color: var(--danger) !important; }
  .problem { color: var(--danger); }
  :is(p, div):empty { display: none; }
  .notice { border: 1px solid var(--danger); border-radius: calc(var(--radius) / 2); padding: 8px 12px; }
  .notice.good { border-color: var(--good); }
  pre { margin: 0; overflow: auto; max-height: 20em; white-space: pre-wrap; overflow-wrap: anywhere; }
  button {
    font: inherit; font-weight: 600; color: var(--accent-ink); background: var(--accent); cursor: pointer;
    border: 1px solid transparent; border-radius: calc(var(--radius) / 2); padding: 8px 14px; justify-self: start;
  }
  button.item {
    color: inherit; background: none; border-color: var(--rule); width: 100%; text-align: start; font-weight: 400;
  }
  button.item[aria-expanded="true"] { border-color: var(--accent); }
  button[aria-disabled="true"] { opacity: .6; cursor: default; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; }
  signalbox-approval { border: 0; padding: 12px 0 0; background: none; }
  @media (forced-colors: active) { button { border-color: ButtonText; } }
`;

let sheet = null;

/** One sheet for all elements of the page; content security policies do not apply to it. */
export function styleSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
