// A run's files: pictures as thumbnails, and a download link for every file.
import { addressOf, artifactAddress } from "../data/api.js";
import { showPictures } from "../ui/dialog.js";
import { div, h, pictureElement, span } from "../ui/dom.js";
import { size, sized } from "../ui/format.js";
import { icon } from "../ui/icons.js";

export const isPicture = (artifact) => /^image\/(png|jpeg|webp|gif|avif)$/.test(artifact.media_type);

export class ArtifactList {
  #shown = new Map();

  constructor(runId) {
    this.runId = runId;
    this.list = h("ul", { class: "files" });
    this.count = span("count");
    this.element = h("section", { class: "panel", "aria-labelledby": "files-title" },
      h("h2", { id: "files-title" }, "Files", this.count), this.list);
  }

  update(snapshot) {
    this.element.hidden = snapshot.artifacts.length === 0;
    this.count.textContent = String(snapshot.artifacts.length);
    for (const artifact of snapshot.artifacts) {
      const before = this.#shown.get(artifact.name);
      if (before && isSame(before.artifact, artifact)) continue;
      const element = this.#tile(artifact);
      if (before) before.element.replaceWith(element);
      else this.list.append(element);
      this.#shown.set(artifact.name, { element, artifact });
    }
  }

  #tile(artifact) {
    const path = pathOf(this.runId, artifact);
    const title = titleOf(artifact);
    const face = isPicture(artifact)
      ? h("button", { type: "button", class: "file-face", "aria-label": `View ${title}`, onclick: () => this.#view(artifact.name) },
        pictureElement({ src: path, alt: "", loading: "lazy" }))
      : h("div", { class: "file-face plain", "aria-hidden": "true" }, icon("file"));
    return h("li", { class: "file" }, face,
      div("file-text", h("span", { class: "file-name", title: artifact.name }, title), span("file-size", size(artifact.size_bytes))),
      h("a", {
        class: "icon-button", href: path, download: artifact.name.split("/").at(-1), "aria-label": `Download ${title}`,
      }, icon("download")));
  }

  #view(name) {
    const pictures = [...this.#shown.values()].map((item) => item.artifact).filter(isPicture);
    const views = pictures.map((item) => ({ path: pathOf(this.runId, item), alt: titleOf(item), caption: titleOf(item) }));
    showPictures(views, pictures.findIndex((item) => item.name === name));
  }
}

const titleOf = (artifact) => sized(artifact.title ?? artifact.name);

/** The API returns a versioned path; an event contains only the name. */
const pathOf = (runId, artifact) => (artifact.url?.startsWith("/v1/") ? addressOf(artifact.url) : artifactAddress(runId, artifact.name));

function isSame(one, other) {
  if (one.url && other.url) return one.url === other.url;
  if (one.key && other.key) return one.key === other.key;
  return one.size_bytes === other.size_bytes && one.media_type === other.media_type;
}
