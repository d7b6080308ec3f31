/** The SQL behind TRACES: what is shown is what runs. */
import { objects, query, quoted, type Ask, type Row } from "../../api/query";
import type { TracesState, View } from "./state";

export const PAGE_ROWS = 200; // rows of one request; the next come as one scrolls
const MATCHES_A_PAGE = 600; // matching spans looked at for a page of traces: several belong to one trace
const PAYLOAD_CHARACTERS = 400; // of a payload in a row; the whole is on the trace's page

export interface Window {
  from: number | null; // milliseconds
  to: number | null;
}

export interface TraceRow extends Row {
  key: string;
  trace_id: string;
  span_id: string | null;
  start_ns: number;
}

export interface Page {
  rows: TraceRow[];
  next: string | null; // where the next page begins
  ms: number;
  segments: number;
  pruned: number;
  warnings: string[];
}

export function timeTerms(window: Window): string[] {
  const found: string[] = [];
  if (window.from !== null) found.push(`start_time >= ${stamp(window.from)}`);
  if (window.to !== null) found.push(`start_time < ${stamp(window.to)}`);
  return found;
}

export const stamp = (ms: number): string => `TIMESTAMPTZ '${new Date(ms).toISOString()}'`;

/** Returns the condition of a view: without a filter, a trace is its root. */
export function condition(state: { view: View; where: string }, window: Window, ...more: string[]): string {
  const own = state.where.trim() ? [/\bor\b/i.test(state.where) ? `(${state.where})` : state.where] : state.view === "traces" ? ["is_root"] : [];
  // Runs of evals have pages of their own.
  if (!/\bexperiment\b/.test(state.where)) own.push("experiment IS NULL");
  const last = state.view === "sessions" ? ["metadata.session_id IS NOT NULL"] : state.view === "users" ? ["metadata.user_id IS NOT NULL"] : [];
  return [...timeTerms(window), ...own, ...last, ...more].join(" AND ") || "true";
}

const PAYLOADS = new Set(["input", "output", "expected"]);

/** Returns an expression for a column of a row that is one span. */
export function spanColumn(column: string): string {
  if (column === "input") return `left(coalesce(input[-1].content::VARCHAR, input::VARCHAR), ${PAYLOAD_CHARACTERS})`;
  if (column === "output") return `left(coalesce(output[-1].content::VARCHAR, output::VARCHAR), ${PAYLOAD_CHARACTERS})`;
  if (PAYLOADS.has(column)) return `left(${column}::VARCHAR, ${PAYLOAD_CHARACTERS})`;
  return SPAN_EXPRESSIONS[column] ?? column;
}

const SPAN_EXPRESSIONS: Record<string, string> = {
  model: "metadata.model",
  tokens: "metrics.tokens",
  cost: "metrics.estimated_cost",
  session: "metadata.session_id",
  user: "metadata.user_id",
  time_to_first_token: "metrics.time_to_first_token",
};
const ORDER: Record<string, string> = { time: "start_ns", duration: "duration_ns" };

const HEAD = "trace_id, span_id, name, type, status_code, start_ns, duration_ns";

export function spansSql(state: TracesState, window: Window, columns: string[], after: string | null): string {
  const extra = columns.filter((column) => !BASIC.has(column)).map((column) => `${spanColumn(column)} AS "${column.replaceAll('"', '""')}"`);
  const descending = state.sort.startsWith("-");
  const sorted = state.sort.replace(/^-/, "");
  const by = ORDER[sorted] ?? spanColumn(sorted);
  const more = after && sorted === "time" ? [`start_ns ${descending ? "<" : ">"} ${after}`] : [];
  return `SELECT ${[HEAD, ...extra].join(", ")}\nFROM spans\nWHERE ${condition(state, window, ...more)}\nORDER BY ${by} ${descending ? "DESC" : "ASC"}${sorted === "time" ? "" : " NULLS LAST"}\nLIMIT ${PAGE_ROWS}`;
}

/** Columns that each row of traces or spans has anyway. */
export const BASIC = new Set(["time", "name", "duration", "type", "status"]);

const SUMS = `trace_id, min(start_ns) AS start_ns, max(start_ns + coalesce(duration_ns, 0)) - min(start_ns) AS duration_ns,
  count(*) AS spans, count(*) FILTER (WHERE status_code = 'ERROR') AS errors,
  coalesce(sum(metrics.tokens), max(metrics.aggregated.tokens::BIGINT)) AS tokens,
  coalesce(sum(metrics.estimated_cost), max(metrics.aggregated.estimated_cost::DOUBLE)) AS cost,
  string_agg(DISTINCT metadata.model, ', ') FILTER (WHERE type = 'llm') AS model`;

export function tracesSql(state: TracesState, window: Window): string {
  return `SELECT ${SUMS},\n  arg_min(name, start_ns) AS name\nFROM spans\nWHERE trace_id IN (\n  SELECT trace_id FROM spans WHERE ${condition(state, window)})\nGROUP BY trace_id\nORDER BY ${SORTS[state.sort.replace(/^-/, "")] ?? "start_ns"} ${state.sort.startsWith("-") ? "DESC" : "ASC"} NULLS LAST\nLIMIT ${PAGE_ROWS}`;
}

const SORTS: Record<string, string> = { time: "start_ns", duration: "duration_ns", tokens: "tokens", cost: "cost", spans: "spans", errors: "errors" };
export const SORTABLE_TRACES = new Set(Object.keys(SORTS));

export function groupsSql(state: TracesState, window: Window): string {
  const path = state.view === "sessions" ? "metadata.session_id" : "metadata.user_id";
  const other = state.view === "sessions" ? "any_value(metadata.user_id) AS user," : "count(DISTINCT metadata.session_id) AS sessions,";
  const sorted = state.sort.replace(/^-/, "");
  return `SELECT ${path}::VARCHAR AS key, ${other} count(DISTINCT trace_id) AS traces, count(*) AS spans,
  count(*) FILTER (WHERE status_code = 'ERROR') AS errors, sum(metrics.tokens) AS tokens, sum(metrics.estimated_cost) AS cost,
  min(start_ns) AS start_ns, max(start_ns + coalesce(duration_ns, 0)) - min(start_ns) AS duration_ns
FROM spans
WHERE ${condition(state, window)}
GROUP BY 1
ORDER BY ${{ time: "start_ns", ...SORTS, traces: "traces", sessions: "sessions" }[sorted] ?? "start_ns"} ${state.sort.startsWith("-") ? "DESC" : "ASC"} NULLS LAST
LIMIT ${PAGE_ROWS * 5}`;
}

/** Returns the statement that a person can run elsewhere. */
export function wholeSql(state: TracesState, window: Window, columns: string[]): string {
  return state.view === "spans" ? spansSql(state, window, columns, null) : state.view === "traces" ? tracesSql(state, window) : groupsSql(state, window);
}

export async function loadPage(project: string, state: TracesState, window: Window, columns: string[], after: string | null, signal: AbortSignal): Promise<Page> {
  const ask: Ask = { project, signal };
  if (state.view === "spans") {
    const answer = await query(spansSql(state, window, columns, after), ask);
    const rows = objects(answer).map((row) => ({ ...row, key: `${row.trace_id}:${row.span_id}` }) as TraceRow);
    const last = rows[rows.length - 1];
    return { ...told(answer), rows, next: rows.length === PAGE_ROWS && last && /^-?time$/.test(state.sort) ? pastNs(last.start_ns, state.sort) : null };
  }
  if (state.view !== "traces") {
    const answer = await query(groupsSql(state, window), ask);
    return { ...told(answer), rows: objects(answer).map((row) => ({ ...row, trace_id: "", span_id: null, start_ns: Number(row.start_ns), key: String(row.key) }) as TraceRow), next: null };
  }
  return loadTraces(ask, state, window, columns, after);
}

const told = (answer: { ms: number; stats: { segments_read: number; segments_pruned: number }; warnings: string[] }) => ({ ms: answer.ms, segments: answer.stats.segments_read, pruned: answer.stats.segments_pruned, warnings: answer.warnings });

async function loadTraces(ask: Ask, state: TracesState, window: Window, columns: string[], after: string | null): Promise<Page> {
  const byTime = /^-?time$/.test(state.sort);
  const descending = state.sort.startsWith("-");
  if (!byTime) {
    const sums = await query(tracesSql(state, window), ask);
    const order = objects(sums).map((row) => String(row.trace_id));
    const rows = await withRoots(ask, order, objects(sums), columns, window);
    return { ...told(sums), rows, next: null };
  }
  const more = after ? [`start_ns ${descending ? "<" : ">"} ${after}`] : [];
  const most = state.where ? MATCHES_A_PAGE : PAGE_ROWS;
  const matches = await query(`SELECT trace_id, start_ns FROM spans WHERE ${condition(state, window, ...more)} ORDER BY start_ns ${descending ? "DESC" : "ASC"} LIMIT ${most}`, ask);
  const order = [...new Set(matches.rows.map((row) => String(row[0])))];
  if (!order.length) return { ...told(matches), rows: [], next: null };
  const listed = order.map(quoted).join(", ");
  const times = matches.rows.map((row) => Number(row[1]));
  // Spans of a trace lie near its match; a bound keeps other segments closed.
  const low = Math.min(...times) - TRACE_SPREAD_NS;
  const high = Math.max(...times) + TRACE_SPREAD_NS;
  const near = `start_ns >= ${Math.round(low)} AND start_ns < ${Math.round(high)}`;
  const sums = query(`SELECT ${SUMS} FROM spans WHERE trace_id IN (${listed}) AND ${near} GROUP BY trace_id`, ask);
  const [rows, summed] = await Promise.all([withRoots(ask, order, sums.then(objects), columns, window, near), sums]);
  return { ...told(matches), ms: matches.ms + summed.ms, rows, next: matches.rows.length === most ? pastNs(times[times.length - 1]!, state.sort) : null };
}

const NS_OF_DOUBLE = 512n; // a double tells nanoseconds of today apart by so much

/** Returns where the next page begins: a little before the last row's time, since rows that come twice are dropped. */
const pastNs = (ns: number, sort: string): string => String(BigInt(ns) + (sort.startsWith("-") ? NS_OF_DOUBLE : -NS_OF_DOUBLE));

const TRACE_SPREAD_NS = 6 * 3600 * 1e9; // from a match to the ends of its trace; a longer trace shows what lies within

async function withRoots(ask: Ask, order: string[], sums: Row[] | Promise<Row[]>, columns: string[], window: Window, near?: string): Promise<TraceRow[]> {
  if (!order.length) return [];
  const extra = columns.filter((column) => !BASIC.has(column) && !SUMMED.has(column)).map((column) => `${spanColumn(column)} AS "${column.replaceAll('"', '""')}"`);
  const bounds = near ? [near] : timeTerms({ from: window.from, to: null });
  const roots = query(`SELECT ${[HEAD, ...extra].join(", ")} FROM spans WHERE ${[`trace_id IN (${order.map(quoted).join(", ")})`, "is_root", ...bounds].join(" AND ")} ORDER BY start_ns`, ask);
  const byId = new Map<string, Row>();
  const [rootAnswer, sumRows] = await Promise.all([roots, sums]);
  for (const row of objects(rootAnswer)) if (!byId.has(String(row.trace_id))) byId.set(String(row.trace_id), row);
  const sumsById = new Map(sumRows.map((row) => [String(row.trace_id), row]));
  return order.map((id) => {
    const sum = sumsById.get(id) ?? {};
    const root = byId.get(id);
    return { name: "(root not here yet)", ...root, ...sum, ...(root ? { name: root.name, span_id: root.span_id } : {}), key: id, trace_id: id, start_ns: Number(sum.start_ns ?? root?.start_ns ?? 0) } as TraceRow;
  });
}

/** Columns of a trace that sum up its spans. */
export const SUMMED = new Set(["spans", "errors", "tokens", "cost", "model"]);
