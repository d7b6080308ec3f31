/** Any answer as a table: virtual rows, wide cells cut with a way to the whole. */
import { Exact } from "../api/exact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { Answer } from "../api/query";
import { number, oneLine, utc, when } from "../format";
import { Dialog } from "./overlay";
import { Payload, VirtualText } from "./payload";
import { useVirtual } from "./virtual";
import { pageUrl } from "../app/location";
import "./result_table.css";

const ROW_PIXELS = 28;
const MEASURED_ROWS = 60; // rows whose texts decide how wide a column is

export function ResultTable({ answer, project, widest = 420 }: { answer: Answer; project: string; widest?: number }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [whole, setWhole] = useState<{ name: string; value: unknown } | null>(null);
  const [sort, setSort] = useState<{ at: number; down: boolean } | null>(null);
  const rows = useMemo(() => {
    if (!sort) return answer.rows;
    const rank = (value: unknown): number | string => (value === null ? "" : typeof value === "number" ? value : oneLine(value, 200));
    const compared = (a: unknown[], b: unknown[]): number => {
      const [x, y] = [rank(a[sort.at]), rank(b[sort.at])];
      return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    };
    return [...answer.rows].sort((a, b) => (sort.down ? compared(b, a) : compared(a, b)));
  }, [answer, sort]);
  const virtual = useVirtual({ count: rows.length, size: ROW_PIXELS, scroller: () => scroller.current });
  const right = answer.columns.map((_, i) => answer.rows.slice(0, MEASURED_ROWS).some((row) => typeof row[i] === "number"));
  const widths = useMemo(() => answer.columns.map((column, i) => Math.ceil(Math.min(widest, Math.max(70, 20 + 7.6 * Math.max(column.name.length + 1, ...answer.rows.slice(0, MEASURED_ROWS).map((row) => shown(row[i], column.type).length)))))), [answer, widest]);
  const template = widths.map((width) => `minmax(${width}px, ${width}fr)`).join(" ");
  const traceAt = answer.columns.findIndex((column) => column.name === "trace_id");
  return (
    <div class="result scroll" ref={scroller} tabIndex={0} role="grid" aria-label="Result" aria-rowcount={rows.length}>
      <div class="result-inner" style={{ minWidth: `${widths.reduce((sum, width) => sum + width, 0)}px` }}>
        <div class="rrow rhead" role="row" style={{ gridTemplateColumns: template }}>
          {answer.columns.map((column, i) => (
            <span key={i} role="columnheader" class={right[i] ? "num" : ""} title={`${column.name} ${column.type}`} aria-sort={sort?.at === i ? (sort.down ? "descending" : "ascending") : undefined}>
              <button class="sort" onClick={() => setSort(sort?.at === i ? (sort.down ? { at: i, down: false } : null) : { at: i, down: true })}>
                {column.name}
                {sort?.at === i && (sort.down ? " ↓" : " ↑")}
              </button>
            </span>
          ))}
        </div>
        <div style={{ height: `${virtual.total}px`, position: "relative" }}>
          {virtual.items.map((item) => {
            const row = rows[item.index]!;
            return (
              <div class="rrow" role="row" key={item.index} aria-rowindex={item.index + 1} style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}>
                {row.map((value, i) => {
                  const text = shown(value, answer.columns[i]!.type);
                  const long = typeof value === "object" && !(value instanceof Exact) ? value !== null : text.length > 56;
                  return (
                    <span key={i} role="gridcell" class={`cut ${typeof value === "number" ? "num" : ""} ${value === null ? "muted" : ""}`} title={long ? undefined : exact(value, answer.columns[i]!.type)}>
                      {i === traceAt && typeof value === "string" ? (
                        <a class="link mono" href={pageUrl(project, `trace/${value}`)}>
                          {value}
                        </a>
                      ) : long ? (
                        <button class="cell-open cut" onClick={() => setWhole({ name: answer.columns[i]!.name, value })}>
                          {text}
                        </button>
                      ) : (
                        text
                      )}
                    </span>
                  );
                })}
              </div>
            );
          })}
        </div>
      </div>
      {whole && (
        <Dialog title={whole.name} wide onClose={() => setWhole(null)}>
          {typeof whole.value === "string" ? <VirtualText text={whole.value} /> : <div class="card plain"><Payload value={whole.value} /></div>}
        </Dialog>
      )}
    </div>
  );
}

const isTime = (type: string): boolean => type.startsWith("TIMESTAMP");
const msOf = (value: string): number => Date.parse(value.replace(" ", "T").replace(/\+00$/, "Z"));

function shown(value: unknown, type: string): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return number(value);
  if (typeof value === "string" && isTime(type) && !Number.isNaN(msOf(value))) return when(msOf(value));
  return oneLine(value, 300);
}

const exact = (value: unknown, type: string): string => (typeof value === "string" && isTime(type) ? utc(msOf(value)) : value === null ? "null" : String(value));
