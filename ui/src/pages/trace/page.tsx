/** TRACE: the tree with its waterfall, time by name, or the conversation; beside it one span. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { exact, Problem } from "../../api/http";
import { query, quoted, type Row } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams, withParams } from "../../app/location";
import { useCommands } from "../../app/palette";
import { mayWrite } from "../../app/session";
import { cost, count, duration, exactDuration, number, plural, utc, when } from "../../format";
import { AddToDataset, caseSql, ExportDialog, isOneOf, score, scoreName } from "../../parts/actions";
import { useLoad } from "../../parts/load";
import { copy } from "../../parts/overlay";
import { TypeDot } from "../../parts/span_look";
import { Failure, State, Waiting } from "../../parts/states";
import { digits } from "../traces/page";
import { Calls } from "./calls";
import { Minimap } from "./minimap";
import { SpanPanel } from "./span_panel";
import { Tree } from "./tree";
import { byName } from "./by_name";
import { criticalPath, shownRows } from "./lines";
import { loadWaterfall, type Waterfall } from "./waterfall";
import "./trace.css";

const MODES = ["tree", "names", "conversation"] as const;
type Mode = (typeof MODES)[number];
const MODE_LABELS: Record<Mode, string> = { tree: "Tree", names: "Time by name", conversation: "Conversation" };

export function TracePage({ project, rest }: { project: string; rest: string[] }) {
  const id = (rest[0] ?? "").toLowerCase();
  const trace = useLoad(`${project} ${id}`, (signal) => loadWaterfall(project, id, signal));
  if (trace.error && !trace.data) {
    if (trace.error instanceof Problem && trace.error.status === 404)
      return (
        <State title="There is no such trace here">
          <p>
            <code>{id}</code> is not in {project}. It may belong to another project, or its retention is over.
          </p>
          <a class="btn" href={pageUrl(project, "traces")}>
            Go to Traces
          </a>
        </State>
      );
    return <Failure error={trace.error} retry={trace.reload} />;
  }
  if (!trace.data) return <Waiting what="Opening the trace…" />;
  return <Opened project={project} id={id} data={trace.data} reload={trace.reload} key={id} />;
}

function Opened({ project, id, data, reload }: { project: string; id: string; data: Waterfall; reload: () => void }) {
  const given = params.value;
  const mode: Mode = (MODES as readonly string[]).includes(given.get("mode") ?? "") ? (given.get("mode") as Mode) : "tree";
  const [closed, setClosed] = useState<ReadonlySet<number>>(new Set());
  const [openRuns, setOpenRuns] = useState<ReadonlySet<number>>(new Set());
  const [search, setSearch] = useState(given.get("find") ?? "");
  const [dialog, setDialog] = useState<"dataset" | "export" | null>(null);
  const wantedSpan = given.get("span");
  const row = useMemo(() => rowNamed(data, wantedSpan), [data, wantedSpan]);
  const spanId = data.id(row);
  const hits = useHits(project, id, data, given.get("find") ?? "");
  const onlyErrors = given.get("errors") === "1";
  const only = useMemo(() => (onlyErrors ? withAncestors(data, data.failed) : null), [data, onlyErrors]);
  const rows = useMemo(() => shownRows(data, closed, openRuns, only), [data, closed, openRuns, only]);
  const placeOf = (wanted: number): number => {
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle]!.row <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const place = useMemo(() => placeOf(row), [rows, row]);
  const critical = useMemo(() => (given.get("path") === "1" ? criticalPath(data) : null), [data, given.get("path")]);
  const zoomText = given.get("zoom");
  const zoom: [number, number] = useMemo(() => {
    const [a, b] = (zoomText ?? "").split("-").map(Number);
    return a !== undefined && b !== undefined && b > a ? [a * 1e3, b * 1e3] : [0, data.totalNs];
  }, [zoomText, data]);
  const setZoom = (next: [number, number] | null) => setParams({ zoom: next ? `${Math.round(next[0] / 1e3)}-${Math.round(next[1] / 1e3)}` : null }, { replace: true });
  const span = useLoad(`${project} ${id} ${spanId}`, (signal) => exact<Row>(`/api/traces/${id}/spans/${spanId}?project=${encodeURIComponent(project)}`, { signal }));
  const root = useLoad(`root ${project} ${id}`, (signal) => meanScores(project, id, signal)).data;
  /** Moves by spans from the one the URL names now, which may be newer than what is drawn. */
  const step = (by: number) => pick(placeOf(rowNamed(data, params.peek().get("span"))) + by);
  const pick = (at: number) => {
    const next = rows[Math.max(0, Math.min(at, rows.length - 1))];
    if (next) setParams({ span: data.id(next.row) }, { replace: true });
  };
  useEffect(() => {
    // A span that a link names is shown, whatever is closed above it.
    let parent = data.parent[row]!;
    let next: Set<number> | null = null;
    while (parent >= 0) {
      if (closed.has(parent)) (next ??= new Set(closed)).delete(parent);
      parent = data.parent[parent]!;
    }
    if (next) setClosed(next);
  }, [row]);
  const toggle = (which: number) => {
    const next = new Set(closed);
    if (!next.delete(which)) next.add(which);
    setClosed(next);
  };
  const nextHit = (step: number, marks: Uint8Array) => {
    for (let i = 1; i <= data.count; i++) {
      const at = (row + step * i + data.count * 2) % data.count;
      if (marks[at]) return setParams({ span: data.id(at) }, { replace: true });
    }
  };
  const ref = { trace_id: id, span_id: spanId };
  const write = mayWrite.value;
  const back = () => navigate(pageUrl(project, "traces"));
  const sql = pageUrl(project, "ask", { sql: `SELECT name, type, duration, status_code, metrics.tokens AS tokens, input, output\nFROM spans\nWHERE trace_id = ${quoted(id)}\nORDER BY start_ns` });
  useKeys([
    { keys: "j", label: "Next span", run: () => step(1) },
    { keys: "k", label: "Span before", run: () => step(-1) },
    { keys: "ArrowDown", label: "Next span", hidden: true, run: () => step(1) },
    { keys: "ArrowUp", label: "Span before", hidden: true, run: () => step(-1) },
    { keys: "ArrowLeft", label: "Close, or go to the parent", run: () => (data.end[row]! > row + 1 && !closed.has(row) ? toggle(row) : data.parent[row]! >= 0 && setParams({ span: data.id(data.parent[row]!) }, { replace: true })) },
    { keys: "ArrowRight", label: "Open", run: () => (rows[place]!.many > 1 ? setOpenRuns(new Set([...openRuns, rows[place]!.row])) : closed.has(row) ? toggle(row) : pick(place + 1)) },
    { keys: "n", label: "Next hit, or next failed span", run: () => nextHit(1, hits.marks ?? data.failed) },
    { keys: "N", label: "Hit before", run: () => nextHit(-1, hits.marks ?? data.failed) },
    { keys: "z", label: "Zoom to the span, and back", run: () => setZoom(zoomText ? null : [data.start[row]!, data.start[row]! + Math.max(data.duration[row]!, data.totalNs / 1e4)]) },
    { keys: "p", label: "Critical path", run: () => setParams({ path: critical ? null : "1" }, { replace: true }) },
    { keys: "c", label: "Conversation", run: () => setParams({ mode: mode === "conversation" ? null : "conversation" }) },
    { keys: "/", label: "Search in this trace", run: () => document.querySelector<HTMLInputElement>("[data-find]")?.focus() },
    { keys: "e", label: "Export", run: () => setDialog("export") },
    { keys: "s", label: "Open as SQL", run: () => navigate(sql) },
    { keys: "Escape", label: "Back to Traces", run: () => (given.get("find") ? (setSearch(""), setParams({ find: null }, { replace: true })) : history.length > 1 ? history.back() : back()) },
    ...(write && span.data?.type === "llm" ? [{ keys: "o", label: "Open the call in Play", run: () => void import("../../parts/open_in_play").then((module) => module.openInPlay(project, span.data!)) }] : []),
    ...(write ? [{ keys: "d", label: "Add the span to a dataset", run: () => setDialog("dataset") }, ...digits((value) => score(project, [ref], scoreName(), value).then(span.reload))] : []),
  ]);
  useCommands([
    ...MODES.filter((each) => each !== mode).map((each) => ({ label: `Show ${MODE_LABELS[each].toLowerCase()}`, run: () => setParams({ mode: each === "tree" ? null : each }) })),
    { label: "Only failed spans", run: () => setParams({ errors: onlyErrors ? null : "1" }) },
    { label: "Read the trace again", run: reload },
  ]);
  return (
    <>
      <header class="head">
        <h1 class="cut row-flex-tight" title={data.name(0)}>
          <TypeDot type={data.type(0)} />
          {data.name(0) || "trace"}
        </h1>
        <span class="fact" title={exactDuration(data.totalNs)}>
          <b>{duration(data.totalNs)}</b>
        </span>
        <span class="fact">
          <b>{count(data.count)}</b> {data.count === 1 ? "span" : "spans"}
        </span>
        {data.errors > 0 ? (
          <button class="fact err plain-button" onClick={() => setParams({ errors: onlyErrors ? null : "1" })} aria-pressed={onlyErrors} title="Show failed spans alone">
            <b>{plural(data.errors, "error")}</b>
          </button>
        ) : null}
        {data.tokenSum > 0 && (
          <span class="fact">
            <b>{count(data.tokenSum)}</b> tokens
          </span>
        )}
        {data.costSum > 0 && (
          <span class="fact" title={`$${data.costSum}`}>
            <b>{cost(data.costSum)}</b>
          </span>
        )}
        {root?.map((each) => (
          <span class="fact" key={each.name}>
            {each.name} <b>{number(each.mean)}</b>
          </span>
        ))}
        <span class="fact" title={utc(data.startNs / 1e6)}>
          {when(data.startNs / 1e6)}
        </span>
        <span class="gap" />
        {write && (
          <button class="btn" onClick={() => setDialog("dataset")}>
            Add to dataset <kbd>d</kbd>
          </button>
        )}
        <button class="btn" onClick={() => void copy(window.location.href, "Link copied")}>
          Copy link
        </button>
      </header>
      <div class="bar">
        <div class="seg" role="group" aria-label="Mode">
          {MODES.map((each) => (
            <a key={each} href={withParams({ mode: each === "tree" ? null : each })} aria-current={mode === each ? "page" : undefined}>
              {MODE_LABELS[each]}
            </a>
          ))}
        </div>
        {mode === "tree" && (
          <button class="btn" aria-pressed={!!critical} onClick={() => setParams({ path: critical ? null : "1" }, { replace: true })}>
            Critical path <kbd>p</kbd>
          </button>
        )}
        <span class="gap" />
        {given.get("find") && (
          <span class="muted" role="status">
            {hits.loading ? "searching…" : plural(hits.found, "hit")}
          </span>
        )}
        <input
          class="text find"
          data-find
          type="search"
          aria-label="Search in this trace: names and all text"
          placeholder="Search in this trace  /"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            if (search.trim() === (given.get("find") ?? "") && hits.marks) nextHit(event.shiftKey ? -1 : 1, hits.marks);
            else setParams({ find: search.trim() || null }, { replace: true });
          }}
        />
      </div>
      <div class="trace">
        <div class="col">
          {mode === "tree" && (
            <>
              <Minimap data={data} zoom={zoom} onZoom={setZoom} />
              <Tree data={data} rows={rows} current={place} closed={closed} hits={hits.marks} critical={critical} zoom={zoom} onPick={pick} onToggle={toggle} onOpenRun={(run) => setOpenRuns(new Set([...openRuns, run]))} />
            </>
          )}
          {mode === "names" && <Names data={data} />}
          {mode === "conversation" && <Calls project={project} id={id} current={spanId} />}
        </div>
        <SpanPanel project={project} span={span} />
      </div>
      <footer class="foot">
        <span>
          <kbd>j</kbd> <kbd>k</kbd> next, before
        </span>
        <span>
          <kbd>←</kbd> <kbd>→</kbd> close, open
        </span>
        <span>
          <kbd>z</kbd> zoom
        </span>
        {(hits.marks || data.errors > 0) && (
          <span>
            <kbd>n</kbd> {hits.marks ? "next hit" : "next failure"}
          </span>
        )}
        {write && (
          <span>
            <kbd>1</kbd>–<kbd>9</kbd> score
          </span>
        )}
        <span class="gap" />
        <button class="link" onClick={() => setDialog("export")}>
          Export
        </button>
        <a class="link" href={sql}>
          Open as SQL
        </a>
      </footer>
      {dialog === "dataset" && <AddToDataset project={project} what="this span" sql={caseSql(isOneOf([ref]))} onClose={() => setDialog(null)} />}
      {dialog === "export" && <ExportDialog project={project} name={`trace-${id.slice(0, 8)}`} sql={`SELECT * FROM spans WHERE trace_id = ${quoted(id)} ORDER BY start_ns`} onClose={() => setDialog(null)} />}
    </>
  );
}

/** Returns the row of the span that the URL names, the first where it names none. */
const rowNamed = (data: Waterfall, span: string | null): number => Math.max(0, span ? data.rowOf(span) : 0);

/** Returns the mean of each score over a trace's spans. */
async function meanScores(project: string, id: string, signal: AbortSignal): Promise<{ name: string; mean: number }[]> {
  const answer = await query(`SELECT scores FROM spans WHERE trace_id = ${quoted(id)} AND scores IS NOT NULL LIMIT 1000`, { project, signal });
  const sums = new Map<string, [number, number]>();
  for (const [scores] of answer.rows as [Record<string, unknown>][])
    for (const [name, value] of Object.entries(scores ?? {})) {
      if (typeof value !== "number") continue;
      const [sum, many] = sums.get(name) ?? [0, 0];
      sums.set(name, [sum + value, many + 1]);
    }
  return [...sums].slice(0, 4).map(([name, [sum, many]]) => ({ name, mean: sum / many }));
}

function withAncestors(data: Waterfall, marks: Uint8Array): Uint8Array {
  const found = new Uint8Array(data.count);
  for (let i = 0; i < data.count; i++) for (let row = marks[i] ? i : -1; row >= 0 && !found[row]; row = data.parent[row]!) found[row] = 1;
  return found;
}

/** Finds spans by their names here and by all their text on the server. */
function useHits(project: string, id: string, data: Waterfall, wanted: string): { marks: Uint8Array | null; found: number; loading: boolean } {
  const texts = useLoad(wanted ? `find ${project} ${id} ${wanted}` : null, async (signal) => {
    const answer = await query(`SELECT span_id FROM spans WHERE trace_id = ${quoted(id)} AND search(${quoted(wanted)})`, { project, signal });
    return new Set(answer.rows.map((row) => String(row[0])));
  });
  return useMemo(() => {
    if (!wanted) return { marks: null, found: 0, loading: false };
    const marks = new Uint8Array(data.count);
    const lower = wanted.toLowerCase();
    const named = data.names.map((name) => name.toLowerCase().includes(lower));
    let found = 0;
    for (let i = 0; i < data.count; i++) {
      if (named[data.nameCode[i]!] || texts.data?.has(data.id(i))) {
        marks[i] = 1;
        found++;
      }
    }
    return { marks, found, loading: texts.loading };
  }, [wanted, texts.data, texts.loading, data]);
}

function Names({ data }: { data: Waterfall }) {
  const groups = useMemo(() => byName(data), [data]);
  const most = Math.max(1, ...groups.map((group) => group.own));
  return (
    <div class="body">
      <table class="grid names">
        <thead>
          <tr>
            <th>name</th>
            <th class="num">spans</th>
            <th>own time</th>
            <th class="num">own</th>
            <th class="num">with children</th>
            <th class="num">longest</th>
            <th class="num">errors</th>
            <th class="num">tokens</th>
          </tr>
        </thead>
        <tbody>
          {groups.slice(0, 500).map((group) => (
            <tr key={group.name}>
              <td>
                <a class="row-flex-tight" href={withParams({ span: data.id(group.first), mode: null })}>
                  <TypeDot type={group.type} />
                  <span class="cut names-cell" title={group.name}>{group.name}</span>
                </a>
              </td>
              <td class="num">{count(group.count)}</td>
              <td>
                <span class="meter" aria-hidden="true">
                  <i style={{ width: `${(group.own / most) * 100}%` }} />
                </span>
              </td>
              <td class="num">{duration(group.own)}</td>
              <td class="num muted">{duration(group.total)}</td>
              <td class="num muted">{duration(group.longest)}</td>
              <td class={`num ${group.errors ? "err" : "muted"}`}>{count(group.errors)}</td>
              <td class="num">{group.tokens ? count(group.tokens) : <span class="muted">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
