/** The tree and its waterfall: virtual lines, of which a screenful exists. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { count, duration, exactDuration } from "../../format";
import { TypeDot, typeToken } from "../../parts/span_look";
import { useVirtual } from "../../parts/virtual";
import type { Shown } from "./lines";
import type { Waterfall } from "./waterfall";

const ROW_PIXELS = 24;
const INDENT_PIXELS = 14;
const MOST_INDENTS = 24; // deeper spans stand no further to the right
const TICKS = 4; // the rulers of trace.css are as many
const KEPT_LINES = 500; // drawn lines that are kept while nothing about them changes: several screens

interface Props {
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
}

export function Tree(props: Props) {
  const { data, rows, current, closed, hits, critical, zoom } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: rows.length, size: ROW_PIXELS, scroller: () => scroller.current, overscan: 8 });
  const lineOf = useKept((index) => <Line {...props} index={index} key={virtual.slot(index)} />, [data, rows, current, closed, hits, critical, zoom, virtual.slots]);
  useEffect(() => {
    if (current >= 0) virtual.scrollTo(current);
  }, [current]);
  const [from, to] = zoom;
  const width = Math.max(1, to - from);
  return (
    <div class="tree col">
      <div class="trow tick-row muted" aria-hidden="true">
        <span class="n">{count(rows.length)} rows</span>
        <span class="ticks">
          {Array.from({ length: TICKS + 1 }, (_, i) => (
            <span key={i} style={{ left: `${(i * 100) / TICKS}%` }}>{i === 0 && from === 0 ? "0" : duration(from + (width * i) / TICKS)}</span>
          ))}
        </span>
        <span />
      </div>
      <div class="tree-body" ref={scroller} role="tree" aria-label="Spans" tabIndex={0} aria-activedescendant={current >= 0 ? `span-${rows[current]?.row}` : undefined}>
        <div class="tree-lines" style={{ height: `${virtual.total}px` }}>
          <div class="trow rulers" aria-hidden="true">
            <span />
            <span class="ruler" />
            <span />
          </div>
          {virtual.items.map((item) => lineOf(item.index))}
        </div>
      </div>
    </div>
  );
}

/** Keeps what was drawn of each line while nothing it depends on changes: a frame of scrolling draws the lines that come, and no other. */
function useKept(draw: (index: number) => VNode, given: unknown[]): (index: number) => VNode {
  const kept = useRef<{ given: unknown[]; drawn: Map<number, VNode> }>({ given: [], drawn: new Map() });
  const { drawn } = kept.current;
  if (drawn.size > KEPT_LINES || given.some((each, i) => each !== kept.current.given[i])) kept.current = { given, drawn: new Map() };
  return (index) => {
    let line = kept.current.drawn.get(index);
    if (!line) kept.current.drawn.set(index, (line = draw(index)));
    return line;
  };
}

function Line({ data, rows, current, closed, hits, critical, zoom, onPick, onToggle, onOpenRun, index }: Props & { index: number }) {
  const { row, many } = rows[index]!;
  const on = index === current;
  const parent = data.end[row]! > row + 1;
  const shut = closed.has(row);
  const type = data.type(row);
  const failed = data.failed[row] === 1;
  let end = data.start[row]! + data.duration[row]!;
  for (let i = 1; i < many; i++) end = Math.max(end, data.start[row + i]! + data.duration[row + i]!);
  const took = end - data.start[row]!;
  const sign = parent ? (shut ? "▸" : "▾") : many > 1 ? "▸" : "";
  const toggle = (event: Event) => {
    if (!parent) return;
    event.stopPropagation();
    onToggle(row);
  };
  return (
    <div
      id={`span-${row}`}
      role="treeitem"
      aria-level={data.depth[row]! + 1}
      aria-expanded={parent ? !shut : undefined}
      aria-selected={on}
      class={`trow ${on ? "on" : ""} ${hits && !hits[row] ? "dim" : ""}`}
      style={{ transform: `translateY(${index * ROW_PIXELS}px)` }}
      onClick={() => (many > 1 ? onOpenRun(row) : onPick(index))}
    >
      <span class="n" style={{ paddingLeft: `${Math.min(data.depth[row]!, MOST_INDENTS) * INDENT_PIXELS}px` }}>
        <span class="twist" aria-hidden="true" onClick={toggle}>
          {sign}
        </span>
        <TypeDot type={type} />
        {many > 1 ? `${count(many)} × ` : ""}
        {data.name(row)}
        {failed ? <span class="err"> failed</span> : ""}
        {shut && parent ? <span class="muted"> +{count(data.end[row]! - row - 1)}</span> : ""}
      </span>
      <Bar start={data.start[row]!} took={took} zoom={zoom} failed={failed} critical={critical?.[row] === 1} color={typeToken(type)} />
      <span class="num muted" title={exactDuration(took)}>
        {duration(took)}
      </span>
    </div>
  );
}

function Bar({ start, took, zoom, failed, critical, color }: { start: number; took: number; zoom: [number, number]; failed: boolean; critical: boolean; color: string }) {
  const width = Math.max(1, zoom[1] - zoom[0]);
  const left = ((start - zoom[0]) / width) * 100;
  const right = left + (took / width) * 100;
  if (left > 100 || right < 0) return <span class="track" />;
  const low = Math.max(0, left);
  return (
    <span class="track" aria-hidden="true">
      <i class={`${failed ? "failed" : ""} ${critical ? "critical" : ""}`} style={{ left: `${low}%`, width: `${Math.min(100, right) - low}%`, "--c": `var(--${color})` }} />
    </span>
  );
}
