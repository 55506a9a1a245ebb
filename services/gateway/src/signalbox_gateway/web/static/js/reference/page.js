// The parts of /docs that need a script: search, the language of the samples, the theme, and sending requests.
import { store, stored } from "../ui/preferences.js";
import { themeButton } from "../ui/theme.js";
import { prepareForms } from "./request-form.js";

const LANGUAGE = "signalbox.docs.language";

function prepareLanguages() {
  const choices = [...document.querySelectorAll('.languages input')];
  const choose = (name) => {
    document.body.dataset.language = name;
    for (const choice of choices) choice.checked = choice.value === name;
  };
  const kept = stored(LANGUAGE);
  choose(choices.some(({ value }) => value === kept) ? kept : choices[0].value);
  for (const choice of choices) {
    choice.addEventListener("change", () => { store(LANGUAGE, choice.value); choose(choice.value); });
  }
  const controls = document.getElementById("controls");
  controls.append(themeButton());
  controls.hidden = false;
}

/** Shows the operations that contain every word of the search. */
function prepareSearch() {
  const field = document.getElementById("search");
  const entries = [...document.querySelectorAll("[data-words]")];
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of entries) {
      const matches = words.every((word) => entry.dataset.words.includes(word));
      const section = document.getElementById(entry.querySelector("a").hash.slice(1));
      entry.hidden = section.hidden = !matches;
      count += matches ? 1 : 0;
    }
    for (const group of document.querySelectorAll(".index-group")) {
      const isEmpty = [...group.querySelectorAll("[data-words]")].every((entry) => entry.hidden);
      const heading = document.getElementById(group.querySelector("a").hash.slice(1));
      if (group.querySelector("[data-words]")) group.hidden = heading.hidden = isEmpty;
    }
    document.getElementById("no-matches").hidden = count > 0;
    document.getElementById("search-count").textContent = words.length ? `${count} ${count === 1 ? "operation" : "operations"}` : "";
  };
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = ""; filter(); }
  });
  addEventListener("keydown", (event) => {
    const types = event.target.closest?.("input, textarea");
    if (event.key === "/" && !types && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
    }
  });
  field.closest(".field").hidden = false;
}

/** Opens the schema that a link leads to. */
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches?.("details")) {
    target.open = true;
    target.scrollIntoView();
  }
}

prepareLanguages();
prepareSearch();
prepareForms();
addEventListener("hashchange", openTarget);
openTarget();
