/** TRACES: traces, spans, sessions and users of a project, with facets, counts over time and live arrival. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Problem } from "../../api/http";
import { quoted } from "../../api/query";
import { useKeys, type KeyAction } from "../../app/keys";
import { navigate, pageUrl, params, setParams, withParams } from "../../app/location";
import { useCommands } from "../../app/palette";
import { mayWrite, projects } from "../../app/session";
import { count, duration, plural, segmentsRead } from "../../format";
import { AddToDataset, caseSql, ExportDialog, isOneOf, ofKey, score, scoreName, type SpanRef } from "../../parts/actions";
import { FilterBar } from "../../parts/filter_bar";
import { useLoad } from "../../parts/load";
import { knownPaths, typeWords } from "../../parts/completion";
import { Dialog, Menu, toast } from "../../parts/overlay";
import { ends, LASTS, RangeMenu, setRange } from "../../parts/range";
import { SavedMenu } from "../../parts/saved";
import { Failure, State, Waiting } from "../../parts/states";
import { DEFAULTS, look, OFFERED } from "./columns";
import { Differences } from "./differences";
import { Facets } from "./facets";
import { useLive } from "./live";
import { condition, loadPage, SORTABLE_TRACES, wholeSql, type TraceRow } from "./sql";
import { Start } from "./start";
import { readState, setWhere, VIEWS, type TracesState } from "./state";
import { Table } from "./table";
import { Timeline, type Box } from "./timeline";
import "./traces.css";

export function TracesPage({ project }: { project: string }) {
  const info = projects.value?.find((each) => each.name === project);
  if (!info?.has_spans) return <Start project={project} />;
  return <Rows project={project} />;
}

function Rows({ project }: { project: string }) {
  const state = readState();
  const [tick, setTick] = useState(0);
  const timeKey = JSON.stringify(state.range);
  const window = useMemo(() => {
    const [from, to] = ends(state.range, Date.now());
    return { from, to };
  }, [timeKey, tick]);
  const columns = state.columns ?? DEFAULTS[state.view];
  const grouped = state.view === "sessions" || state.view === "users";
  const key = JSON.stringify([project, state.view, state.where, timeKey, state.sort, columns, tick]);
  const first = useLoad(key, (signal) => loadPage(project, state, window, columns, null, signal));
  const [more, setMore] = useState<{ key: string; rows: TraceRow[]; next: string | null } | null>(null);
  const loading = useRef(false);
  const live = useLive({ project, where: state.where, on: state.live && !grouped, view: state.view, columns });
  const rows = useMemo(() => dedupe([...live.rows, ...(first.data?.rows ?? []), ...(more?.key === key ? more.rows : [])]), [live.rows, first.data, more, key]);
  const next = more?.key === key ? more.next : (first.data?.next ?? null);
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [dialog, setDialog] = useState<"dataset" | "export" | null>(null);
  const [total, setTotal] = useState<number | null>(null);
  const [box, setBox] = useState<Box | null>(null);
  useEffect(() => setSelected(new Set()), [key]);
  const current = rows.findIndex((row) => row.key === state.row);

  const loadMore = async () => {
    if (!next || loading.current) return;
    loading.current = true;
    try {
      const page = await loadPage(project, state, window, columns, next, new AbortController().signal);
      setMore((before) => ({ key, rows: [...(before?.key === key ? before.rows : []), ...page.rows], next: page.next }));
    } catch (error) {
      toast(error instanceof Problem ? error.message : "The next rows could not be read");
    }
    loading.current = false;
  };
  const href = (row: TraceRow): string =>
    state.view === "sessions" || state.view === "users"
      ? pageUrl(project, "traces", { where: `metadata.${state.view === "sessions" ? "session_id" : "user_id"} = ${quoted(row.key)}`, last: state.range.last, from: state.range.from ? String(state.range.from) : null, to: state.range.to ? String(state.range.to) : null })
      : pageUrl(project, `trace/${row.trace_id}`, state.view === "spans" ? { span: String(row.span_id) } : {});
  const goto = (index: number) => {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (row) setParams({ row: row.key }, { replace: true });
  };
  /** Moves from the row the URL names now, which may be newer than what is drawn. */
  const step = (by: number) => goto(rows.findIndex((row) => row.key === params.peek().get("row")) + by);
  const toggle = (id: string) => {
    const after = new Set(selected);
    if (!after.delete(id)) after.add(id);
    setSelected(after);
  };
  const chosen = rows.filter((row) => (selected.size ? selected.has(row.key) : row.key === state.row));
  const spansOf = (): SpanRef[] => chosen.filter((row) => row.span_id).map((row) => ({ trace_id: row.trace_id, span_id: String(row.span_id) }));
  const where = condition(state, window);
  const selectionSql = chosen.length ? isOneOf(spansOf()) : state.view === "traces" && state.where ? `is_root AND trace_id IN (SELECT trace_id FROM spans WHERE ${where})` : where;
  const sql = wholeSql(state, window, columns);
  const openSql = pageUrl(project, "ask", { sql });
  const write = mayWrite.value;

  const keys: KeyAction[] = [
    { keys: "j", label: "Next row", run: () => step(1) },
    { keys: "k", label: "Row before", run: () => step(-1) },
    { keys: "ArrowDown", label: "Next row", hidden: true, run: () => step(1) },
    { keys: "ArrowUp", label: "Row before", hidden: true, run: () => step(-1) },
    {
      keys: "Enter",
      label: "Open",
      run: () => {
        const row = rows.find((each) => each.key === params.peek().get("row"));
        if (row) navigate(href(row));
      },
    },
    { keys: "x", label: "Select", run: () => rows[current] && toggle(rows[current]!.key) },
    { keys: "Escape", label: "Clear the selection", run: () => (box ? setBox(null) : selected.size ? setSelected(new Set()) : setParams({ row: null }, { replace: true })) },
    { keys: "/", label: "Filter", run: () => document.querySelector<HTMLInputElement>("[data-filter]")?.focus() },
    { keys: "r", label: "Refresh", run: () => setTick((n) => n + 1) },
    { keys: "l", label: "Live on and off", run: () => setParams({ live: state.live ? null : "1" }) },
    { keys: "h", label: "Heatmap of durations", run: () => setParams({ chart: state.chart === "heat" ? null : "heat" }) },
    { keys: "e", label: "Export", run: () => setDialog("export") },
    { keys: "s", label: "Open as SQL", run: () => navigate(openSql) },
    ...(write && !grouped ? [{ keys: "d", label: "Add to a dataset", run: () => setDialog("dataset") }, ...digits((value) => chosen.length && void score(project, spansOf(), scoreName(), value).then(() => setTick((n) => n + 1)))] : []),
  ];
  useKeys(keys);
  useCommands([
    { label: "Refresh", run: () => setTick((n) => n + 1) },
    { label: state.live ? "Stop live" : "Live", run: () => setParams({ live: state.live ? null : "1" }) },
    ...VIEWS.filter((view) => view !== state.view).map((view) => ({ label: `Show ${view}`, run: () => setParams({ view: view === "traces" ? null : view, sort: null, cols: null, row: null }) })),
    { label: "Open as SQL", run: () => navigate(openSql) },
  ]);

  const looks = columns.map((column) => look(column, state.view)).map((column) => (state.view === "traces" && !SORTABLE_TRACES.has(column.id) ? { ...column, sort: false } : column));
  const noun = state.view === "traces" && !state.where ? "traces" : "spans";
  const counted = total === null || state.chart === "heat" ? null : plural(total, noun.slice(0, -1), noun);
  const listed = plural(rows.length, grouped ? state.view.slice(0, -1) : "row", grouped ? state.view : "rows");
  const shown = grouped && counted ? `${listed} of ${counted}` : (counted ?? listed);
  return (
    <>
      <h1 class="sr">Traces of {project}</h1>
      <div class="bar">
        <FilterBar project={project} value={state.where} onChange={setWhere} error={first.error instanceof Problem && first.error.status === 400 ? first.error.message : null} />
        <RangeMenu range={state.range} />
        {!grouped && (
          <button class={`btn ${state.live ? "live" : ""}`} aria-pressed={state.live} onClick={() => setParams({ live: state.live ? null : "1", sort: null })}>
            {state.live && live.paused ? "Paused" : "Live"}
          </button>
        )}
      </div>
      <div class="split">
        <Facets project={project} where={state.where} condition={state.view === "traces" && !state.where ? condition({ view: "spans", where: "" }, window) : where} fromNs={null} toNs={null} extra={state.facets} tick={tick} />
        <div class="col">
          <div class="bar thin">
            <div class="seg" role="group" aria-label="What a row is">
              {VIEWS.map((view) => (
                <a key={view} href={withParams({ view: view === "traces" ? null : view, sort: null, cols: null, row: null })} aria-current={view === state.view ? "page" : undefined}>
                  {view[0]!.toUpperCase() + view.slice(1)}
                </a>
              ))}
            </div>
            <SavedMenu project={project} kind="view" plural="views" />
            <span class="gap" />
            <div class="seg" role="group" aria-label="Chart">
              <button aria-pressed={state.chart === "counts"} onClick={() => setParams({ chart: null })}>
                Counts
              </button>
              <button aria-pressed={state.chart === "heat"} onClick={() => setParams({ chart: "heat" })}>
                Durations
              </button>
            </div>
            {!grouped && <ColumnsMenu project={project} columns={columns} state={state} />}
          </div>
          <Timeline project={project} condition={where} from={window.from} to={window.to} tick={tick} heat={state.chart === "heat"} noun={noun} onTotal={setTotal} onBox={setBox} />
          {box ? (
            <Differences project={project} where={where} box={box} onClose={() => setBox(null)} />
          ) : first.error && !(first.data && (first.error as Problem).status === 0) ? (
            <Failure error={first.error} retry={first.reload} />
          ) : !first.data ? (
            <Waiting />
          ) : !rows.length ? (
            <Nothing state={state} project={project} />
          ) : (
            <Table rows={rows} columns={looks} sort={state.sort} current={current} selected={selected} href={href} onCurrent={goto} onToggle={toggle} onEnd={() => void loadMore()} onScroll={live.onScroll} more={!!next} />
          )}
        </div>
      </div>
      <footer class="foot">
        {selected.size ? <b>{count(selected.size)} selected</b> : <span>{shown}</span>}
        {first.data && (
          <span title={`${first.data.pruned} segments needed no look`}>
            {segmentsRead(first.data.segments, first.data.pruned)}
          </span>
        )}
        {first.data && <span>{duration(first.data.ms * 1e6)}</span>}
        {first.data?.warnings.map((text) => (
          <span class="warn cut" key={text} title={text}>
            {text}
          </span>
        ))}
        {state.live && <span class={live.dropped ? "warn" : ""}>{live.error ?? (live.dropped ? `live: ${count(live.dropped)} not shown, too many at once` : `live: ${count(live.seen)} arrived`)}</span>}
        <span class="gap" />
        {write && !grouped && (
          <button class="link" onClick={() => setDialog("dataset")}>
            Add to dataset <kbd>d</kbd>
          </button>
        )}
        <button class="link" onClick={() => setDialog("export")}>
          Export <kbd>e</kbd>
        </button>
        <a class="link" href={openSql}>
          Open as SQL
        </a>
      </footer>
      {dialog === "dataset" && <AddToDataset project={project} what={chosen.length ? plural(chosen.length, "row") : "all matching rows"} sql={caseSql(selectionSql)} onClose={() => setDialog(null)} />}
      {dialog === "export" && <ExportDialog project={project} name={state.view} sql={chosen.length ? `SELECT * FROM spans WHERE ${selectionSql}` : sql.replace(/\nLIMIT \d+$/, "")} onClose={() => setDialog(null)} />}
    </>
  );
}

export const digits = (write: (value: number) => unknown): KeyAction[] => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => ({ keys: String(digit), label: digit === 1 ? `Score: 1 is 0, 9 is 1 (${scoreName()})` : "", hidden: digit > 1, run: () => void write(ofKey(digit)) }));

function dedupe(rows: TraceRow[]): TraceRow[] {
  const seen = new Set<string>();
  return rows.filter((row) => !seen.has(row.key) && seen.add(row.key));
}

function ColumnsMenu({ project, columns, state }: { project: string; columns: string[]; state: TracesState }) {
  const put = (next: string[]) => setParams({ cols: next.join("|") === DEFAULTS[state.view].join("|") ? null : next.join("|") });
  const [adding, setAdding] = useState(false);
  return (
    <>
    <Menu
      align="right"
      name="Columns"
      label={<>Columns <span aria-hidden="true">▾</span></>}
      items={[
        ...[...new Set([...OFFERED, ...columns])].filter((id) => state.view === "traces" || !["spans", "errors"].includes(id)).map((id) => ({ label: `${columns.includes(id) ? "✓ " : " "}${id}`, run: () => put(columns.includes(id) ? columns.filter((each) => each !== id) : [...columns, id]) })),
        null,
        { label: "Any path…", run: () => setAdding(true) },
        { label: "Back to the usual ones", run: () => put(DEFAULTS[state.view]) },
      ]}
    />
    {adding && <AddColumn project={project} onClose={() => setAdding(false)} onAdd={(path) => (setAdding(false), put([...columns.filter((each) => each !== path), path]))} />}
    </>
  );
}

/** Asks for a path or an expression, with the paths that are there to choose from. */
function AddColumn({ project, onAdd, onClose }: { project: string; onAdd: (path: string) => void; onClose: () => void }) {
  const paths = useLoad(`paths ${project}`, () => knownPaths(project));
  return (
    <Dialog title="Add a column" onClose={onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          const path = String(new FormData(event.currentTarget).get("path")).trim();
          if (path) onAdd(path);
        }}
      >
        <label class="field">
          A path, or an expression as in SQL
          <input class="text mono" name="path" required list="column-paths" autocomplete="off" placeholder="attributes.retries" autofocus />
        </label>
        <datalist id="column-paths">{(paths.data ?? []).slice(0, 1000).map((each) => <option key={each.path} value={each.path}>{typeWords(Object.keys(each.types))}</option>)}</datalist>
        <div>
          <button class="btn go">Add</button>
        </div>
      </form>
    </Dialog>
  );
}

function Nothing({ state, project }: { state: TracesState; project: string }) {
  const label = state.range.last ? LASTS.find(([key]) => key === state.range.last)![1].toLowerCase() : "the chosen time";
  return (
    <State title={state.where ? "Nothing matches" : `No ${state.view} in ${label.replace("last", "the last")}`}>
      <p>{state.where ? "No span matches the filter in this time." : `${project} has spans at other times.`}</p>
      <div class="row-flex">
        {state.range.last !== "all" && (
          <button class="btn" onClick={() => setRange({ last: "all" })}>
            Look at all time
          </button>
        )}
        {state.where && (
          <button class="btn" onClick={() => setWhere("")}>
            Clear the filter
          </button>
        )}
      </div>
    </State>
  );
}
