/** The tree and its waterfall: virtual lines, of which a screenful exists. */
import { useEffect, useRef } from "preact/hooks";
import { count, duration, exactDuration } from "../../format";
import { TypeDot, typeToken } from "../../parts/span_look";
import { useVirtual } from "../../parts/virtual";
import type { Shown, Waterfall } from "./waterfall";

const ROW_PIXELS = 24;
const INDENT_PIXELS = 14;
const MOST_INDENTS = 24; // deeper spans stand no further to the right

export function Tree(props: {
  data: Waterfall;
  rows: Shown[];
  current: number; // place among the rows
  closed: ReadonlySet<number>;
  hits: Uint8Array | null;
  critical: Uint8Array | null;
  zoom: [number, number];
  onPick: (place: number) => void;
  onToggle: (row: number) => void;
  onOpenRun: (row: number) => void;
}) {
  const { data, rows } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: rows.length, size: ROW_PIXELS, scroller: () => scroller.current, overscan: 8 });
  useEffect(() => {
    if (props.current >= 0) virtual.scrollTo(props.current);
  }, [props.current]);
  const [from, to] = props.zoom;
  const width = Math.max(1, to - from);
  const ticks = 5;
  return (
    <div class="tree col">
      <div class="trow tick-row muted" aria-hidden="true">
        <span class="n">{count(rows.length)} rows</span>
        <span class="ticks">
          {Array.from({ length: ticks + 1 }, (_, i) => (
            <span key={i}>{i === 0 && from === 0 ? "0" : duration(from + (width * i) / ticks)}</span>
          ))}
        </span>
        <span />
      </div>
      <div class="tree-body" ref={scroller} role="tree" aria-label="Spans" tabIndex={0} aria-activedescendant={props.current >= 0 ? `span-${rows[props.current]?.row}` : undefined}>
        <div style={{ height: `${virtual.total}px`, position: "relative" }}>
          {virtual.items.map((item) => {
            const { row, many } = rows[item.index]!;
            const parent = data.end[row]! > row + 1;
            const closed = props.closed.has(row);
            const left = ((data.start[row]! - from) / width) * 100;
            let end = data.start[row]! + data.duration[row]!;
            for (let i = 1; i < many; i++) end = Math.max(end, data.start[row + i]! + data.duration[row + i]!);
            const span = ((end - data.start[row]!) / width) * 100;
            const low = Math.max(0, Math.min(100, left));
            const high = Math.max(0, Math.min(100, left + span));
            const type = data.type(row);
            const dim = props.hits && !props.hits[row];
            return (
              <div
                key={virtual.slot(item.index)}
                id={`span-${row}`}
                role="treeitem"
                aria-level={data.depth[row]! + 1}
                aria-expanded={parent ? !closed : undefined}
                aria-selected={item.index === props.current}
                class={`trow ${item.index === props.current ? "on" : ""} ${dim ? "dim" : ""}`}
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => (many > 1 ? props.onOpenRun(row) : props.onPick(item.index))}
              >
                <span class="n" style={{ paddingLeft: `${Math.min(data.depth[row]!, MOST_INDENTS) * INDENT_PIXELS}px` }}>
                  <span
                    class="twist"
                    aria-hidden="true"
                    onClick={(event) => {
                      if (!parent) return;
                      event.stopPropagation();
                      props.onToggle(row);
                    }}
                  >
                    {parent ? (closed ? "▸" : "▾") : many > 1 ? "▸" : ""}
                  </span>
                  <TypeDot type={type} />
                  {many > 1 ? `${count(many)} × ` : ""}
                  {data.name(row)}
                  {data.failed[row] ? <span class="err"> failed</span> : ""}
                  {closed && parent ? <span class="muted"> +{count(data.end[row]! - row - 1)}</span> : ""}
                </span>
                <span class="track" aria-hidden="true">
                  {high >= low && left <= 100 && left + span >= 0 && <i class={`${data.failed[row] ? "failed" : ""} ${props.critical?.[row] ? "critical" : ""}`} style={{ left: `${low}%`, width: `${high - low}%`, "--c": `var(--${typeToken(type)})` }} />}
                </span>
                <span class="num muted" title={exactDuration(data.duration[row]!)}>
                  {duration(many > 1 ? end - data.start[row]! : data.duration[row]!)}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
