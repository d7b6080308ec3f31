/** Adds a row as a case of a dataset: with what is expected, and what came out wrong beside it. */
import { useState } from "preact/hooks";
import { exactJson } from "../../../api/exact";
import { request } from "../../../api/http";
import { pageUrl } from "../../../app/location";
import { datasetsOf } from "../../../parts/actions";
import { useLoad } from "../../../parts/load";
import { Dialog, toast } from "../../../parts/overlay";
import { FailureNote } from "../../../parts/states";
import { comparable } from "../../../parts/words";
import type { LivePlay } from "../live";
import { of, textOf, type Cell, type PlayRow } from "../model";

export function AddCase({ play, row, cell, onClose }: { play: LivePlay; row: PlayRow; cell: Cell | null; onClose: () => void }) {
  const datasets = useLoad(`datasets ${play.project}`, (signal) => datasetsOf(play.project, signal));
  const source = play.document.value!.body.rows;
  const [error, setError] = useState<unknown>(null);
  const output = cell?.state === "done" ? cell.output : null;
  const add = async (event: Event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const name = String(given.get("name")).trim();
    const typed = String(given.get("expected"));
    try {
      const expected = !typed.trim() ? null : typed === textOf(row.expected) ? row.expected : /^\s*[[{]/.test(typed) ? exactJson(typed) : typed;
      const metadata = { ...((row.metadata as object | null) ?? {}), ...(given.get("wrong") ? { wrong_output: output } : {}) };
      const origin = cell?.trace_id ? { project: play.project, trace_id: cell.trace_id, span_id: cell.span_id } : row.origin;
      const made = { input: row.input, ...(expected === null ? {} : { expected }), ...(Object.keys(metadata).length ? { metadata } : {}), ...(origin ? { origin } : {}) };
      const answer = await request(`/api/datasets/rows?name=${encodeURIComponent(name)}&${of(play.project)}`, { method: "POST", text: JSON.stringify(made), headers: { "Content-Type": "application/x-ndjson" } });
      const report = (await answer.json()) as { version: number; added: number; updated: number };
      toast(report.added || report.updated ? `Added to ${name}, version ${report.version}` : `${name} had it already`, { label: "Open", run: () => window.dispatchEvent(new CustomEvent("go", { detail: pageUrl(play.project, `datasets/${name}`) })) });
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title="Add this row as a case" wide onClose={onClose}>
      <form class="col form" onSubmit={(event) => void add(event)}>
        <label class="field">
          Dataset: one that is there, or a new name
          <input class="text" name="name" required list="play-datasets" autocomplete="off" autofocus defaultValue={source?.source === "dataset" ? source.dataset : ""} />
        </label>
        <datalist id="play-datasets">
          {datasets.data?.map((each) => (
            <option key={each.name} value={each.name} />
          ))}
        </datalist>
        <label class="field">
          What should have come out: text, or JSON of an object or a list
          <textarea class="text mono" name="expected" rows={5} defaultValue={textOf(row.expected)} />
        </label>
        {output !== null && output !== undefined && (
          <label class="row-flex play-top">
            <input type="checkbox" name="wrong" defaultChecked />
            <span>
              Keep what came out as <code>metadata.wrong_output</code>
              <span class="muted play-sample">{comparable(output).slice(0, 300)}</span>
            </span>
          </label>
        )}
        <FailureNote error={error} />
        <div class="row-flex">
          <button class="btn go">Add</button>
          <span class="muted">The case keeps a link to the span. Adding makes a new version.</span>
        </div>
      </form>
    </Dialog>
  );
}
