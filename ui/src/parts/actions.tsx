/** What can be done with chosen spans anywhere: add to a dataset, export, score. */
import { useState } from "preact/hooks";
import { json, request } from "../api/http";
import { quoted } from "../api/query";
import { useLoad } from "./load";
import { Dialog, toast } from "./overlay";
import { FailureNote } from "./states";
import { pageUrl } from "../app/location";

export interface SpanRef {
  trace_id: string;
  span_id: string;
}

export interface DatasetInfo {
  project: string;
  name: string;
  version: number;
  rows: number;
  created_ns: number;
  versions: { version: number; created_ns: number; rows: number; added: number; updated: number; deleted: number }[];
  snapshots: Record<string, number>;
}

export const datasetsOf = (project: string, signal?: AbortSignal): Promise<DatasetInfo[]> => json<DatasetInfo[]>("/api/datasets", { signal }).then((all) => all.filter((each) => each.project === project));

/** Returns SQL that makes dataset rows of spans: what went in, and what came out as what is expected. */
export const caseSql = (condition: string): string => `SELECT trace_id, span_id, input, coalesce(expected, output) AS expected, metadata, tags\nFROM spans\nWHERE ${condition}`;

export const isOneOf = (spans: SpanRef[]): string => `trace_id IN (${[...new Set(spans.map((each) => quoted(each.trace_id)))].join(", ")}) AND span_id IN (${spans.map((each) => quoted(each.span_id)).join(", ")})`;

export function AddToDataset(props: { project: string; sql: string; what: string; onClose: () => void }) {
  const known = useLoad(`datasets ${props.project}`, (signal) => datasetsOf(props.project, signal));
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get("name")).trim();
    setBusy(true);
    try {
      const report = await json<{ version: number; added: number; updated: number; unchanged: number }>(`/api/datasets/query?name=${encodeURIComponent(name)}&project=${encodeURIComponent(props.project)}`, { body: { sql: props.sql } });
      props.onClose();
      const done = report.added || report.updated ? `${report.added + report.updated} added to ${name}, version ${report.version}` : `${name} had all of them already`;
      toast(done, { label: "Open", run: () => window.dispatchEvent(new CustomEvent("go", { detail: pageUrl(props.project, `datasets/${name}`) })) });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Add ${props.what} to a dataset`} onClose={props.onClose}>
      <form class="col form" onSubmit={(event) => void submit(event as unknown as SubmitEvent)}>
        <label class="field">
          Dataset: one that is there, or a new name
          <input class="text" name="name" required list="datasets" autocomplete="off" autofocus />
        </label>
        <datalist id="datasets">
          {known.data?.map((each) => (
            <option key={each.name} value={each.name}>{`version ${each.version}, ${each.rows} rows`}</option>
          ))}
        </datalist>
        <details>
          <summary class="muted">The rows, as SQL</summary>
          <pre class="code">{props.sql}</pre>
        </details>
        <FailureNote error={error} />
        <div class="row-flex">
          <button class="btn go" disabled={busy}>
            Add
          </button>
          <span class="muted">Each row keeps a link to its span. Adding makes a new version.</span>
        </div>
      </form>
    </Dialog>
  );
}

const FORMATS: [string, string, string][] = [
  ["CSV", "text/csv", "csv"],
  ["NDJSON", "application/x-ndjson", "jsonl"],
  ["Parquet", "application/vnd.apache.parquet", "parquet"],
  ["Arrow", "application/vnd.apache.arrow.stream", "arrow"],
];

export function ExportDialog(props: { project: string; sql: string; name: string; onClose: () => void }) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState("");
  const run = async ([label, kind, suffix]: [string, string, string]) => {
    setBusy(label);
    setError(null);
    try {
      const answer = await request("/api/query", { body: { sql: props.sql, project: props.project, timeout_s: 600 }, accept: kind });
      save(await answer.blob(), `${props.name}.${suffix}`);
      props.onClose();
    } catch (failure) {
      setError(failure);
    }
    setBusy("");
  };
  return (
    <Dialog title="Export" onClose={props.onClose}>
      <p class="muted flat">All rows of this statement, without a limit of the page:</p>
      <pre class="code">{props.sql}</pre>
      <FailureNote error={error} />
      <div class="row-flex">
        {FORMATS.map((format) => (
          <button key={format[0]} class="btn" disabled={!!busy} onClick={() => void run(format)}>
            {busy === format[0] ? "Reading…" : format[0]}
          </button>
        ))}
      </div>
    </Dialog>
  );
}

/** Lets the browser keep bytes as a file. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const SCORE_KEY = "tracestore.score";
export const scoreName = (): string => localStorage.getItem(SCORE_KEY) ?? "quality";
export const keepScoreName = (name: string): void => localStorage.setItem(SCORE_KEY, name);

/** Writes a score of spans: the keys 1 to 9 stand for 0 to 1. */
export async function score(project: string, spans: SpanRef[], name: string, value: number | null): Promise<void> {
  await json(`/api/patch?project=${encodeURIComponent(project)}`, { body: { patches: spans.map((each) => ({ ...each, scores: { [name]: value } })) } });
  toast(value === null ? `Score ${name} removed` : `${name} ${value} for ${spans.length === 1 ? "1 span" : `${spans.length} spans`}`);
}

export const ofKey = (digit: number): number => Math.round(((digit - 1) / 8) * 1000) / 1000;
