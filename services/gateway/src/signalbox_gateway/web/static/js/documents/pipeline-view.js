// Additional views of some pipelines on the run page: the documents of a batch, the pages of a document.
import { h } from "../ui/dom.js";
import { BatchView } from "./batch.js";
import { DocumentView } from "./document.js";

const VIEWS = { document_batch: BatchView, document: DocumentView };

export class PipelineView {
  #view = null;

  constructor(runId, { inboxChanged }) {
    Object.assign(this, { runId, inboxChanged });
    this.element = h("div", { class: "pipeline-view" });
  }

  update(snapshot) {
    const View = VIEWS[snapshot.pipeline];
    if (!View) return;
    if (!this.#view) {
      this.#view = new View(this.runId, { inboxChanged: this.inboxChanged });
      this.element.append(this.#view.element);
    }
    this.#view.update(snapshot);
  }

  /** The snapshot without the files that the view shows itself. */
  filesOf(snapshot) {
    const shows = this.#view?.shows;
    return shows ? { ...snapshot, artifacts: snapshot.artifacts.filter((artifact) => !shows(artifact)) } : snapshot;
  }

  close() { this.#view?.close?.(); }
}
