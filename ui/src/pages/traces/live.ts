/** Live arrival: rows that the server pushes go on top; scrolling down pauses, and what was not shown is said. */
import { useEffect, useRef, useState } from "preact/hooks";
import { BASIC, spanColumn, SUMMED, type TraceRow } from "./sql";
import type { View } from "./state";

const KEPT_ROWS = 500; // rows of live arrival that are kept on the page: memory stays flat
const SHOW_MS = 200; // rows that arrive within this time are drawn together

interface Live {
  rows: TraceRow[];
  seen: number;
  dropped: number;
  paused: boolean;
  error: string | null;
  onScroll: (top: number) => void;
}

export function useLive(props: { project: string; where: string; on: boolean; view: View; columns: string[] }): Live {
  const [rows, setRows] = useState<TraceRow[]>([]);
  const [told, setTold] = useState({ seen: 0, dropped: 0, error: null as string | null });
  const [paused, setPaused] = useState(false);
  const waiting = useRef<TraceRow[]>([]);
  const held = useRef(false);
  held.current = paused;
  const key = JSON.stringify([props.project, props.where, props.on, props.view, props.columns]);
  useEffect(() => {
    setRows([]);
    setTold({ seen: 0, dropped: 0, error: null });
    waiting.current = [];
    if (!props.on) return;
    const search = new URLSearchParams({ project: props.project });
    const where = props.where || (props.view === "traces" ? "is_root" : "");
    if (where) search.set("where", where);
    for (const column of props.columns) {
      if (BASIC.has(column) || column === "scores") continue;
      if (props.view === "traces" && SUMMED.has(column) && column !== "tokens" && column !== "cost" && column !== "model") continue;
      search.append("column", `${column}=${spanColumn(column)}`);
    }
    const source = new EventSource(`/api/explore/tail?${search}`);
    source.addEventListener("spans", (event) => {
      const batch = JSON.parse((event as MessageEvent<string>).data) as Record<string, unknown>[];
      const found = batch.map((row) => ({ ...row, fresh: true, key: props.view === "traces" ? String(row.trace_id) : `${row.trace_id}:${row.span_id}`, start_ns: Number(row.start_ns) }) as unknown as TraceRow);
      waiting.current = [...found, ...waiting.current].slice(0, KEPT_ROWS);
      setTold((before) => ({ ...before, seen: before.seen + batch.length, error: null }));
    });
    source.addEventListener("dropped", (event) => setTold((before) => ({ ...before, dropped: before.dropped + Number((event as MessageEvent<string>).data) })));
    source.addEventListener("problem", (event) => {
      setTold((before) => ({ ...before, error: `live stopped: ${(JSON.parse((event as MessageEvent<string>).data) as { detail: string }).detail}` }));
      source.close();
    });
    source.onerror = () => setTold((before) => ({ ...before, error: "live: connecting…" }));
    source.onopen = () => setTold((before) => ({ ...before, error: null }));
    const timer = setInterval(() => {
      if (held.current || !waiting.current.length) return;
      const fresh = waiting.current;
      waiting.current = [];
      setRows((before) => [...fresh, ...before].slice(0, KEPT_ROWS));
    }, SHOW_MS);
    return () => {
      source.close();
      clearInterval(timer);
    };
  }, [key]);
  return { rows, ...told, paused, onScroll: (top) => props.on && setPaused(top > 60) };
}
