/** Where a play's rows come from: a dataset, a query, one call of a trace, or typed in. */
import { useState } from "preact/hooks";
import { datasetsOf } from "../../../parts/actions";
import { useLoad } from "../../../parts/load";
import { Dialog } from "../../../parts/overlay";
import { FailureNote } from "../../../parts/states";
import { plural } from "../../../format";
import { written } from "../fields/json_field";
import type { LivePlay } from "../live";
import type { RowsSource, TypedRow } from "../model";
import { casesOf } from "../../datasets/case_file";

const KINDS = [
  ["dataset", "A dataset"],
  ["query", "A query"],
  ["typed", "Typed in"],
  ["span", "One call"],
] as const;
type Kind = (typeof KINDS)[number][0];

const QUERY = "SELECT input, output AS expected, metadata, trace_id, span_id\nFROM spans\nWHERE is_root AND experiment IS NULL\nORDER BY start_time DESC";

export function RowsDialog({ play, onClose }: { play: LivePlay; onClose: () => void }) {
  const rows = play.document.value!.body.rows ?? null;
  const [kind, setKind] = useState<Kind>(rows?.source ?? "dataset");
  const found = play.rows.value;
  return (
    <Dialog title="Rows" wide onClose={onClose}>
      <div class="seg play-kinds" role="group" aria-label="Where the rows come from">
        {KINDS.filter(([each]) => each !== "span" || rows?.source === "span").map(([each, name]) => (
          <button key={each} aria-pressed={kind === each} onClick={() => setKind(each)} autofocus={kind === each}>
            {name}
          </button>
        ))}
      </div>
      {kind === "dataset" && <OfDataset play={play} rows={rows} />}
      {kind === "query" && <OfQuery play={play} rows={rows} />}
      {kind === "typed" && <TypedIn play={play} rows={rows} onClose={onClose} />}
      {kind === "span" && <p class="muted flat">The row is the call that was opened in Play.</p>}
      <FailureNote error={play.rowsError.value} />
      <div class="row-flex">
        <button class="btn go" onClick={onClose}>
          Done
        </button>
        <span class="muted" role="status">
          {!play.rowsError.value && found && rows?.source === kind && `${plural(found.rows.length, "row")}${found.more ? ", and there are more" : ""}`}
        </span>
      </div>
    </Dialog>
  );
}

function Limit({ value, onValue }: { value: number; onValue: (value: number) => void }) {
  return (
    <label class="field">
      Rows at most
      <input class="text short" type="number" min={1} max={1000} value={value} onInput={(event) => Number(event.currentTarget.value) >= 1 && onValue(Math.min(1000, Math.floor(Number(event.currentTarget.value))))} />
    </label>
  );
}

function OfDataset({ play, rows }: { play: LivePlay; rows: RowsSource | null }) {
  const datasets = useLoad(`datasets ${play.project}`, (signal) => datasetsOf(play.project, signal));
  const mine = rows?.source === "dataset" ? rows : null;
  const info = datasets.data?.find((each) => each.name === mine?.dataset);
  const set = (changes: object) => play.set(["rows"], { source: "dataset", dataset: mine?.dataset ?? "", version: mine?.version ?? null, limit: mine?.limit ?? 200, ...changes });
  return (
    <div class="row-flex wrapping">
      <label class="field grow">
        Dataset
        <select class="text" value={mine?.dataset ?? ""} onChange={(event) => set({ dataset: event.currentTarget.value, version: null })}>
          <option value="" disabled>
            {datasets.data?.length === 0 ? "there are none yet" : "choose…"}
          </option>
          {datasets.data?.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name} ({plural(each.rows, "row")})
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Version
        <select class="text" disabled={!mine} value={String(mine?.version ?? "")} onChange={(event) => set({ version: event.currentTarget.value ? Number(event.currentTarget.value) : null })}>
          <option value="">the newest</option>
          {[...(info?.versions ?? [])].reverse().slice(0, 100).map((each) => (
            <option key={each.version} value={String(each.version)}>
              {each.version}
            </option>
          ))}
        </select>
      </label>
      <Limit value={mine?.limit ?? 200} onValue={(limit) => set({ limit })} />
    </div>
  );
}

function OfQuery({ play, rows }: { play: LivePlay; rows: RowsSource | null }) {
  const mine = rows?.source === "query" ? rows : null;
  const [sql, setSql] = useState(mine?.sql ?? QUERY);
  const [limit, setLimit] = useState(mine?.limit ?? 200);
  return (
    <form
      class="col form"
      onSubmit={(event) => {
        event.preventDefault();
        play.set(["rows"], { source: "query", sql, limit });
      }}
    >
      <label class="field">
        A query that gives input, and expected, metadata, id where there are
        <textarea class="text mono" rows={6} spellcheck={false} value={sql} onInput={(event) => setSql(event.currentTarget.value)} />
      </label>
      <div class="row-flex">
        <Limit value={limit} onValue={setLimit} />
        <button class="btn play-low">Take its rows</button>
      </div>
    </form>
  );
}

/** Rows as people write them: a line of text each, or JSON. */
function TypedIn({ play, rows, onClose }: { play: LivePlay; rows: RowsSource | null; onClose: () => void }) {
  const mine = rows?.source === "typed" ? rows : null;
  const [text, setText] = useState("");
  const [error, setError] = useState<unknown>(null);
  const add = (event: Event) => {
    event.preventDefault();
    try {
      const fresh: TypedRow[] = /^\s*[[{]/.test(text) ? casesOf(text, "typed.json").map(({ input, expected, metadata }) => ({ input, ...(expected === undefined ? {} : { expected }), ...(metadata ? { metadata } : {}) })) : text.split("\n").filter((line) => line.trim()).map((line) => ({ input: line }));
      const items = Object.fromEntries(fresh.map((each, i) => [`r${Date.now().toString(36)}-${i}`, each]));
      const order = [...(mine?.order ?? []), ...Object.keys(items)];
      if (mine) play.edit(...Object.entries(items).map(([id, value]) => ({ path: ["rows", "items", id], value })), { path: ["rows", "order"], value: order });
      else play.set(["rows"], { source: "typed", items, order });
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  const remove = (id: string) => mine && play.edit({ path: ["rows", "items", id], delete: true }, { path: ["rows", "order"], value: mine.order.filter((each) => each !== id) });
  return (
    <form class="col form" onSubmit={add}>
      {mine && mine.order.length > 0 && (
        <ul class="play-typed">
          {mine.order.filter((id) => mine.items[id]).map((id) => (
            <li key={id} class="row-flex">
              <span class="cut">{typeof mine.items[id]!.input === "string" ? (mine.items[id]!.input as string) : written(mine.items[id]!.input)}</span>
              <span class="gap" />
              <button type="button" class="btn plain small" aria-label="Remove this row" onClick={() => remove(id)}>
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      <label class="field">
        More rows: a line each, or JSON with input, expected, metadata
        <textarea class="text mono" rows={4} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <FailureNote error={error} />
      <div>
        <button class="btn" disabled={!text.trim()}>
          Add
        </button>
      </div>
    </form>
  );
}
