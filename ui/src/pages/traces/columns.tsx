/** The columns of the table: how wide, how a cell reads, and what it says exactly. */
import type { ComponentChildren } from "preact";
import { cost, count, duration, exactDuration, number, oneLine, scored, utc, when } from "../../format";
import { TypeDot, typeToken } from "../../parts/span_look";
import type { TraceRow } from "./sql";
import type { View } from "./state";

export interface ColumnLook {
  id: string;
  label: string;
  width: string;
  right?: boolean;
  sort?: boolean;
  cell: (row: TraceRow, most: number) => ComponentChildren;
  title?: (row: TraceRow) => string;
}

export const DEFAULTS: Record<View, string[]> = {
  traces: ["time", "name", "model", "tokens", "cost", "duration", "scores", "input"],
  spans: ["time", "name", "model", "tokens", "cost", "duration", "scores", "input"],
  sessions: ["time", "key", "user", "traces", "errors", "tokens", "cost", "duration"],
  users: ["time", "key", "sessions", "traces", "errors", "tokens", "cost", "duration"],
};

const asNumber = (value: unknown): number | null => (value === null || value === undefined || value === "" ? null : Number(value));
const num = (id: string, label: string, width: string, show: (value: number) => string): ColumnLook => ({
  id,
  label,
  width,
  right: true,
  sort: true,
  cell: (row) => {
    const value = asNumber(row[id]);
    return value === null ? <span class="muted">–</span> : show(value);
  },
  title: (row) => (asNumber(row[id]) === null ? "" : String(row[id])),
});

const LOOKS: Record<string, ColumnLook> = {
  time: { id: "time", label: "time", width: "108px", sort: true, cell: (row) => <span class="muted">{when(row.start_ns / 1e6)}</span>, title: (row) => utc(row.start_ns / 1e6) },
  name: {
    id: "name",
    label: "name",
    width: "minmax(178px, 1.7fr)",
    cell: (row) => (
      <>
        <TypeDot type={row.type as string | null} />
        <span class="cut">{String(row.name ?? "")}</span>
        {(row.status_code === "ERROR" || Number(row.errors) > 0) && <span class="err">&nbsp;{row.status_code === "ERROR" ? "error" : row.errors === 1 ? "1 error" : `${row.errors} errors`}</span>}
      </>
    ),
  },
  key: { id: "key", label: "", width: "minmax(170px, 1.3fr)", cell: (row) => row.key, title: (row) => row.key },
  model: { id: "model", label: "model", width: "minmax(90px, .8fr)", cell: (row) => <span class="muted">{oneLine(row.model)}</span>, title: (row) => oneLine(row.model) },
  tokens: num("tokens", "tokens", "64px", count),
  cost: num("cost", "cost", "84px", cost),
  spans: num("spans", "spans", "64px", count),
  traces: num("traces", "traces", "64px", count),
  sessions: num("sessions", "sessions", "64px", count),
  errors: {
    ...num("errors", "errors", "64px", count),
    cell: (row) => (Number(row.errors) ? <span class="err">{count(Number(row.errors))}</span> : <span class="muted">0</span>),
  },
  duration: {
    id: "duration",
    label: "duration",
    width: "100px",
    right: true,
    sort: true,
    cell: (row, most) => (
      <span class="dur">
        {row.duration_ns === null || row.duration_ns === undefined ? "–" : duration(Number(row.duration_ns))}
        <i style={{ "--w": `${Math.max(1, (Number(row.duration_ns ?? 0) / (most || 1)) * 100)}%`, "--c": `var(--${typeToken(row.type as string)})` }} />
      </span>
    ),
    title: (row) => exactDuration(Number(row.duration_ns ?? 0)),
  },
  scores: {
    id: "scores",
    label: "scores",
    width: "minmax(136px, 1fr)",
    cell: (row) => (
      <span class="chips">
        {Object.entries((row.scores as Record<string, number> | null) ?? {}).map(([name, value]) => (
          <span class="chip" key={name}>
            {name} <b>{typeof value === "number" ? scored(value) : String(value)}</b>
          </span>
        ))}
      </span>
    ),
    title: (row) => (row.scores ? JSON.stringify(row.scores) : ""),
  },
  input: { id: "input", label: "input", width: "minmax(110px, 2fr)", cell: (row) => oneLine(row.input), title: (row) => oneLine(row.input) },
  output: { id: "output", label: "output", width: "minmax(160px, 2fr)", cell: (row) => oneLine(row.output), title: (row) => oneLine(row.output) },
};

export const OFFERED = ["time", "name", "type", "model", "tokens", "cost", "duration", "spans", "errors", "scores", "tags", "user", "session", "input", "output", "expected", "service", "status_message"];

/** Returns a column's look; a path without one of its own shows its values as they are. */
export function look(id: string, view: View): ColumnLook {
  const known = LOOKS[id];
  if (known) return id === "key" ? { ...known, label: view === "users" ? "user" : "session" } : known;
  return {
    id,
    label: id,
    width: "minmax(110px, 1fr)",
    sort: view === "spans",
    cell: (row) => {
      const value = row[id];
      if (value === null || value === undefined) return <span class="muted">–</span>;
      return typeof value === "number" ? number(value) : oneLine(value);
    },
    title: (row) => oneLine(row[id], 2000),
  };
}
