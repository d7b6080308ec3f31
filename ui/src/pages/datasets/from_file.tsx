/** Adds the cases of a file to a dataset, one that is there or a new one, as one version. */
import { useState } from "preact/hooks";
import { request } from "../../api/http";
import { navigate, pageUrl } from "../../app/location";
import { plural } from "../../format";
import { Dialog, toast } from "../../parts/overlay";
import { FailureNote } from "../../parts/states";
import { casesOf, type Case } from "./case_file";

export function FromFile({ project, dataset, onClose, onAdded }: { project: string; dataset?: string; onClose: () => void; onAdded: () => void }) {
  const [cases, setCases] = useState<Case[] | null>(null);
  const [name, setName] = useState(dataset ?? "");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const read = async (file: File | undefined) => {
    setError(null);
    setCases(null);
    if (!file) return;
    try {
      setCases(casesOf(await file.text(), file.name));
      if (!name) setName(file.name.replace(/\.\w+$/, ""));
    } catch (failure) {
      setError(failure);
    }
  };
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!cases || busy) return;
    setBusy(true);
    try {
      const lines = cases.map((each) => JSON.stringify(each)).join("\n");
      const answer = await request(`/api/datasets/rows?name=${encodeURIComponent(name.trim())}&project=${encodeURIComponent(project)}`, { method: "POST", text: lines, headers: { "Content-Type": "application/x-ndjson" } });
      const report = (await answer.json()) as { version: number; added: number; updated: number; unchanged: number };
      toast(report.added || report.updated ? `${report.added + report.updated} added to ${name.trim()}, version ${report.version}` : `${name.trim()} had all of them already`);
      onClose();
      onAdded();
      if (!dataset) navigate(pageUrl(project, `datasets/${name.trim()}`));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={dataset ? `Add a file to ${dataset}` : "New dataset from a file"} onClose={onClose}>
      <form class="col form" onSubmit={(event) => void add(event as unknown as SubmitEvent)}>
        <label class="field">
          File: JSON, a line of JSON each, or CSV
          <input class="text" type="file" required accept=".json,.jsonl,.ndjson,.csv,.tsv" onChange={(event) => void read(event.currentTarget.files?.[0])} />
        </label>
        {!dataset && (
          <label class="field">
            Name
            <input class="text" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
        )}
        <p class="muted flat">
          {cases ? `${plural(cases.length, "case")} found. The first:` : "The fields input, expected, metadata, tags and id are taken as they are; other fields become metadata. A row without an input is the input."}
        </p>
        {cases && <pre class="code">{JSON.stringify(cases[0], null, 2).slice(0, 1200)}</pre>}
        <FailureNote error={error} />
        <div class="row-flex">
          <button class="btn go" disabled={!cases || busy}>
            {busy ? "Adding…" : cases ? `Add ${plural(cases.length, "case")}` : "Add"}
          </button>
          <span class="muted">A row with an id that is there replaces it; one that is there already is not added twice.</span>
        </div>
      </form>
    </Dialog>
  );
}
