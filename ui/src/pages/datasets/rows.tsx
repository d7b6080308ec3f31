/** One dataset: its rows at a version or what changed between two, edited in place. */
import { useMemo, useRef, useState } from "preact/hooks";
import { exactJson } from "../../api/exact";
import { json, Problem, request } from "../../api/http";
import { objects, query, quoted, type Row } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { count, oneLine, plural, utc, when } from "../../format";
import { datasetsOf, ExportDialog, type DatasetInfo } from "../../parts/actions";
import { useLoad } from "../../parts/load";
import { Dialog, Menu, toast } from "../../parts/overlay";
import { Failure, FailureNote, State, Waiting } from "../../parts/states";
import { useVirtual } from "../../parts/virtual";
import { comparable, Words } from "../../parts/words";
import { FromFile } from "./from_file";
import { nameVersion } from "./page";

const MOST_ROWS = 20_000; // of a grid; an export has all
const ROW_PIXELS = 50;
const FIELDS = ["input", "expected", "metadata", "tags"] as const;
type Field = (typeof FIELDS)[number];
interface CaseRow extends Row {
  id: string;
  change?: "added" | "changed" | "removed";
  before?: Row;
}

const rowsSql = (name: string, version: number | null): string => `SELECT id, input, expected, metadata, tags, origin FROM dataset(${quoted(name)}${version ? `, ${version}` : ""}) ORDER BY created_ns, id LIMIT ${MOST_ROWS}`;

export function DatasetPage({ project, name }: { project: string; name: string }) {
  const info = useLoad(`dataset ${project} ${name}`, async (signal) => {
    const found = (await datasetsOf(project, signal)).find((each) => each.name === name);
    if (!found) throw new Problem(404, `There is no dataset ${name} in ${project}.`);
    return found;
  });
  if (info.error) return <Failure error={info.error} retry={info.reload} />;
  if (!info.data) return <Waiting />;
  return <Opened project={project} info={info.data} reload={info.reload} />;
}

function Opened({ project, info, reload }: { project: string; info: DatasetInfo; reload: () => void }) {
  const given = params.value;
  const version = Number(given.get("version")) || null;
  const against = Number(given.get("against")) || null;
  const shownVersion = version ?? info.version;
  const rows = useLoad(JSON.stringify([project, info.name, info.version, version, against]), async (signal) => {
    const [now, before] = await Promise.all([query(rowsSql(info.name, version), { project, signal }), against ? query(rowsSql(info.name, against), { project, signal }) : null]);
    const found = objects(now) as CaseRow[];
    return before ? compared(found, objects(before) as CaseRow[]) : found;
  });
  const all = rows.data ?? [];
  const at = all.findIndex((each) => each.id === given.get("row"));
  const [dialog, setDialog] = useState<"export" | "edit" | "add" | "file" | "name" | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: all.length, size: ROW_PIXELS, scroller: () => scroller.current });
  const latest = !version || version === info.version;
  const write = mayWrite.value && latest && !against;
  const goto = (index: number) => {
    const next = all[Math.max(0, Math.min(all.length - 1, index))];
    if (!next) return;
    setParams({ row: next.id }, { replace: true });
    virtual.scrollTo(Math.max(0, Math.min(all.length - 1, index)));
  };
  const remove = async () => {
    const row = all[at];
    if (!row) return;
    await json(`/api/datasets/delete?name=${encodeURIComponent(info.name)}&project=${encodeURIComponent(project)}`, { body: { ids: [row.id] } });
    toast("Removed in a new version; older versions keep it");
    reload();
  };
  useKeys([
    { keys: "j", label: "Next row", run: () => goto(at + 1) },
    { keys: "k", label: "Row before", run: () => goto(at - 1) },
    { keys: "Enter", label: "Open the row", run: () => at >= 0 && setDialog("edit") },
    { keys: "e", label: "Export", run: () => setDialog("export") },
    { keys: "Escape", label: "Back to Datasets", run: () => navigate(pageUrl(project, "datasets")) },
    ...(write ? [{ keys: "a", label: "Add a row", run: () => setDialog("add") }, { keys: "Delete", label: "Remove the row", run: () => void remove() }] : []),
  ]);
  const versions = [...info.versions].reverse();
  const totals = useMemo(() => ({ added: all.filter((each) => each.change === "added").length, changed: all.filter((each) => each.change === "changed").length, removed: all.filter((each) => each.change === "removed").length }), [all]);
  const label = (each: number) => Object.entries(info.snapshots).filter(([, number]) => number === each).map(([text]) => text).join(", ");
  return (
    <>
      <header class="head">
        <h1 class="cut">{info.name}</h1>
        <Menu name={`Version ${shownVersion}`} label={<>Version {shownVersion}{label(shownVersion) && <span class="muted"> {label(shownVersion)}</span>} <span aria-hidden="true">▾</span></>} items={versions.map((each) => ({ label: <>Version {each.version} <span class="muted">{label(each.version)}</span></>, hint: `${plural(each.rows, "row")}, ${when(each.created_ns / 1e6)}`, on: each.version === shownVersion, run: () => setParams({ version: each.version === info.version ? null : String(each.version) }) }))} />
        {versions.length > 1 && <Menu name="Compare with a version" label={<>{against ? `against ${against}` : "Compare with"} <span aria-hidden="true">▾</span></>} items={[{ label: "Nothing", on: !against, run: () => setParams({ against: null }) }, ...versions.filter((each) => each.version !== shownVersion).map((each) => ({ label: `Version ${each.version}`, hint: `+${each.added} ~${each.updated} −${each.deleted}`, on: each.version === against, run: () => setParams({ against: String(each.version) }) }))]} />}
        {!latest && <span class="fact warn">not the newest</span>}
        <span class="gap" />
        {mayWrite.value && (
          <button class="btn" onClick={() => setDialog("name")}>
            Name this version
          </button>
        )}
        {write && (
          <button class="btn" onClick={() => setDialog("file")}>
            Add a file
          </button>
        )}
        {write && (
          <button class="btn go" onClick={() => setDialog("add")}>
            Add a row <kbd>a</kbd>
          </button>
        )}
      </header>
      {rows.error ? (
        <Failure error={rows.error} retry={rows.reload} />
      ) : !rows.data ? (
        <Waiting />
      ) : !all.length ? (
        <State title={against ? "Nothing differs" : "This version has no rows"} />
      ) : (
        <div class="tbl scroll" ref={scroller} role="grid" aria-label="Rows of the dataset" aria-rowcount={all.length} tabIndex={0}>
          <div class="drow dhead" role="row">
            {["input", "expected", "metadata", "tags", "origin"].map((each) => (
              <span role="columnheader" key={each}>
                {each}
              </span>
            ))}
          </div>
          <div style={{ height: `${virtual.total}px`, position: "relative" }}>
            {virtual.items.map((item) => {
              const row = all[item.index]!;
              const origin = originOf(row.origin);
              return (
                <div
                  key={row.id}
                  role="row"
                  class={`drow ${item.index === at ? "on" : ""} ${row.change ?? ""}`}
                  style={{ transform: `translateY(${item.start}px)` }}
                  onClick={(event) => {
                    if ((event.target as Element).closest("a")) return;
                    setParams({ row: row.id }, { replace: true });
                    setDialog("edit");
                  }}
                >
                  {FIELDS.map((field) => (
                    <span role="gridcell" key={field} class={field === "input" || field === "expected" ? "clamp2" : "clamp2 muted"}>
                      {field === "input" && row.change && <b class={row.change === "removed" ? "err" : "good"}>{row.change} </b>}
                      {row.change === "changed" && row.before ? <Words before={cell(row.before[field], field)} after={cell(row[field], field)} /> : cell(row[field], field)}
                    </span>
                  ))}
                  <span role="gridcell">
                    {origin ? (
                      <a class="link mono" href={pageUrl(project, `trace/${origin.trace_id}`, { span: origin.span_id })}>
                        {origin.trace_id.slice(0, 8)}
                      </a>
                    ) : (
                      <span class="muted">–</span>
                    )}
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      )}
      <footer class="foot">
        <span>{against ? `${totals.added} added, ${totals.changed} changed, ${totals.removed} removed since version ${against}` : plural(all.length, "row")}</span>
        <span title={utc(info.created_ns / 1e6)}>{plural(info.versions.length, "version")}</span>
        <span class="gap" />
        <button class="link" onClick={() => setDialog("export")}>
          Export <kbd>e</kbd>
        </button>
        <a class="link" href={pageUrl(project, "ask", { sql: rowsSql(info.name, version).replace(/ LIMIT \d+$/, "") })}>
          Open as SQL
        </a>
      </footer>
      {dialog === "export" && <ExportDialog project={project} name={info.name.replace(/\W+/g, "-")} sql={rowsSql(info.name, version).replace(/ LIMIT \d+$/, "")} onClose={() => setDialog(null)} />}
      {dialog === "edit" && all[at] && <RowDialog project={project} info={info} row={all[at]!} write={write} onClose={() => setDialog(null)} onSaved={() => (setDialog(null), reload())} onRemove={() => (setDialog(null), void remove())} />}
      {dialog === "add" && <RowDialog project={project} info={info} row={null} write onClose={() => setDialog(null)} onSaved={() => (setDialog(null), reload())} />}
      {dialog === "file" && <FromFile project={project} dataset={info.name} onClose={() => setDialog(null)} onAdded={() => (setDialog(null), reload())} />}
      {dialog === "name" && <NameDialog onClose={() => setDialog(null)} onName={(text) => nameVersion(project, info.name, text, shownVersion).then(() => (setDialog(null), toast(`Version ${shownVersion} is now ${text}`), reload()))} version={shownVersion} />}
    </>
  );
}

/** Returns a value as a person reads it in a grid: metadata with its keys, a payload of one text as the text. */
const cell = (value: unknown, field: Field): string => {
  if (Array.isArray(value) && value.every((each) => typeof each !== "object")) return value.join(", ");
  if (value && typeof value === "object" && !Array.isArray(value) && Object.values(value).every((each) => typeof each !== "object") && Object.keys(value).length > (field === "metadata" ? 0 : 1))
    return Object.entries(value)
      .map(([key, each]) => `${key}: ${String(each)}`)
      .join(", ");
  return oneLine(comparable(value), 600);
};

function originOf(value: unknown): { trace_id: string; span_id: string } | null {
  const found = value as { trace_id?: string; span_id?: string } | null;
  return found?.trace_id ? { trace_id: found.trace_id, span_id: found.span_id ?? "" } : null;
}

/** Returns the rows that differ between two versions. */
function compared(now: CaseRow[], before: CaseRow[]): CaseRow[] {
  const old = new Map(before.map((row) => [row.id, row]));
  const found: CaseRow[] = [];
  for (const row of now) {
    const was = old.get(row.id);
    old.delete(row.id);
    if (!was) found.push({ ...row, change: "added" });
    else if (FIELDS.some((field) => JSON.stringify(was[field]) !== JSON.stringify(row[field]))) found.push({ ...row, change: "changed", before: was });
  }
  return [...found, ...[...old.values()].map((row) => ({ ...row, change: "removed" as const }))];
}

const asText = (value: unknown): string => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** Returns what a person wrote as a value: JSON where it is JSON of an object, a list, a number or a word of it; else text. */
function asValue(text: string, was: unknown): unknown {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (typeof was === "string" && !/^[[{]/.test(trimmed)) return text;
  try {
    return exactJson(trimmed);
  } catch {
    if (/^[[{]/.test(trimmed)) throw new Error("This begins like JSON and is none; check brackets, commas and quotes.");
    return text;
  }
}

function RowDialog(props: { project: string; info: DatasetInfo; row: CaseRow | null; write: boolean; onClose: () => void; onSaved: () => void; onRemove?: () => void }) {
  const { row } = props;
  const [error, setError] = useState<unknown>(null);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    try {
      const change: Row = row ? { id: row.id } : {};
      for (const field of FIELDS) {
        const text = String(data.get(field) ?? "");
        if (row ? text !== asText(row[field]) : text.trim()) change[field] = asValue(text, row?.[field]);
      }
      if (row && Object.keys(change).length === 1) return props.onClose();
      const verb = row ? "update" : "rows";
      const answer = await request(`/api/datasets/${verb}?name=${encodeURIComponent(props.info.name)}&project=${encodeURIComponent(props.project)}`, { method: "POST", text: JSON.stringify(change), headers: { "Content-Type": "application/x-ndjson" } });
      const report = (await answer.json()) as { version: number };
      toast(`Version ${report.version} of ${props.info.name}`);
      props.onSaved();
    } catch (failure) {
      setError(failure);
    }
  };
  const label: Record<Field, string> = { input: "Input", expected: "Expected", metadata: "Metadata (JSON)", tags: "Tags (a JSON list)" };
  return (
    <Dialog title={row ? "Row" : `Add a row to ${props.info.name}`} wide onClose={props.onClose}>
      <form class="col form" onSubmit={(event) => void save(event as unknown as SubmitEvent)}>
        {FIELDS.map((field) => (
          <label class="field" key={field}>
            {label[field]}
            <textarea class="text mono" name={field} rows={field === "input" || field === "expected" ? 5 : 2} defaultValue={asText(row?.[field])} readOnly={!props.write} autofocus={field === "input"} />
          </label>
        ))}
        {row && <span class="muted mono">id {row.id}</span>}
        <FailureNote error={error} />
        {props.write && (
          <div class="row-flex">
            <button class="btn go">{row ? "Save as a new version" : "Add"}</button>
            <span class="gap" />
            {row && props.onRemove && (
              <button type="button" class="btn danger" onClick={props.onRemove}>
                Remove
              </button>
            )}
          </div>
        )}
      </form>
    </Dialog>
  );
}

function NameDialog({ version, onName, onClose }: { version: number; onName: (name: string) => Promise<unknown>; onClose: () => void }) {
  const [error, setError] = useState<unknown>(null);
  return (
    <Dialog title={`Name version ${version}`} onClose={onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          onName(String(new FormData(event.currentTarget).get("name"))).catch(setError);
        }}
      >
        <label class="field">
          A name that stays with this version, such as “release 2”
          <input class="text" name="name" required />
        </label>
        <FailureNote error={error} />
        <div>
          <button class="btn go">Name it</button> <span class="muted">{count(version)}</span>
        </div>
      </form>
    </Dialog>
  );
}
