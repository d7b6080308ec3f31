/** The rows: virtual, moved in by j and k, selected by x, opened by Enter. */
import { useEffect, useRef } from "preact/hooks";
import { navigate, setParams } from "../../app/location";
import { useVirtual } from "../../parts/virtual";
import type { ColumnLook } from "./columns";
import type { TraceRow } from "./sql";

const ROW_PIXELS = 31;

export function Table(props: {
  rows: TraceRow[];
  columns: ColumnLook[];
  sort: string;
  current: number;
  selected: Set<string>;
  href: (row: TraceRow) => string;
  onCurrent: (index: number) => void;
  onToggle: (key: string) => void;
  onEnd: () => void;
  onScroll?: (top: number) => void;
  more: boolean;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: props.rows.length, size: ROW_PIXELS, scroller: () => scroller.current, overscan: 12 });
  const most = props.rows.reduce((max, row) => Math.max(max, Number(row.duration_ns ?? 0)), 0);
  const template = `30px ${props.columns.map((column) => column.width).join(" ")}`;
  const lastSeen = virtual.items[virtual.items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (props.more && lastSeen >= props.rows.length - 20) props.onEnd();
  }, [lastSeen, props.rows.length, props.more]);
  useEffect(() => {
    if (props.current >= 0) virtual.scrollTo(props.current);
  }, [props.current]);
  const sortBy = (column: ColumnLook) => setParams({ sort: props.sort === `-${column.id}` ? column.id : column.id === "time" && props.sort !== "-time" ? null : `-${column.id}` });
  return (
    <div class="tbl scroll" ref={scroller} role="grid" aria-label="Rows" aria-rowcount={props.rows.length} tabIndex={0} onScroll={() => props.onScroll?.(scroller.current?.scrollTop ?? 0)}>
      <div class="tr th" role="row" style={{ gridTemplateColumns: template }}>
        <span role="columnheader">
          <span class="sr">selected</span>
        </span>
        {props.columns.map((column) => {
          const on = props.sort.replace(/^-/, "") === column.id;
          return (
            <span key={column.id} role="columnheader" class={`cut ${column.right ? "num" : ""}`} aria-sort={on ? (props.sort.startsWith("-") ? "descending" : "ascending") : undefined} title={column.label}>
              {column.sort ? (
                <button class="sort" onClick={() => sortBy(column)}>
                  {column.label}
                  {on && <span aria-hidden="true"> {props.sort.startsWith("-") ? "↓" : "↑"}</span>}
                </button>
              ) : (
                column.label
              )}
            </span>
          );
        })}
      </div>
      <div class="tbody" style={{ height: `${virtual.total}px` }}>
        {virtual.items.map((item) => {
          const row = props.rows[item.index]!;
          const url = props.href(row);
          const on = item.index === props.current;
          return (
            <div
              key={row.key}
              class={`tr ${on ? "on" : ""} ${row.fresh ? "fresh" : ""}`}
              role="row"
              aria-rowindex={item.index + 1}
              aria-selected={props.selected.has(row.key)}
              style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}
              onClick={(event) => {
                if ((event.target as Element).closest("a,input")) return;
                props.onCurrent(item.index);
                navigate(url);
              }}
            >
              <span role="gridcell" class="pick">
                <input type="checkbox" aria-label="Select this row" checked={props.selected.has(row.key)} onChange={() => props.onToggle(row.key)} />
              </span>
              {props.columns.map((column, i) => (
                <span key={column.id} role="gridcell" class={`cell cut ${column.right ? "num" : ""}`} title={column.title?.(row)}>
                  {column.id === "name" || column.id === "key" || (i === 0 && !props.columns.some((each) => each.id === "name" || each.id === "key")) ? (
                    <a class="cut row-flex-tight" href={url} tabIndex={on ? 0 : -1}>
                      {column.cell(row, most)}
                    </a>
                  ) : (
                    column.cell(row, most)
                  )}
                </span>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
