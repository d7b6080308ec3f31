/** Counts over time with errors, or a heatmap of durations; dragging zooms, or asks what is different inside. */
import { useEffect, useRef, useState } from "preact/hooks";
import { json } from "../../api/http";
import { dark, token } from "../../app/theme";
import { count, duration, when } from "../../format";
import { useLoad } from "../../parts/load";
import { useSize } from "../../parts/size";
import { setRange } from "../../parts/range";

export interface Counts {
  from_ns: number | null;
  step_ns: number | null;
  rows: number[];
  errors: number[];
  total: number;
}
interface Heat {
  from_ns: number | null;
  step_ns: number | null;
  columns: number;
  steps_per_decade: number;
  cells: [number, number, number, number][];
}
export interface Box {
  fromMs: number;
  toMs: number;
  low: number | null; // nanoseconds
  high: number | null;
}

interface Props {
  project: string;
  condition: string;
  from: number | null;
  to: number | null;
  tick: number;
  heat: boolean;
  noun: string;
  onTotal: (total: number | null) => void;
  onBox: (box: Box) => void;
}

const BUCKETS = 96;

const ns = (ms: number | null): number | null => (ms === null ? null : Math.round(ms) * 1e6);

export function Timeline(props: Props) {
  const now = useRef(Date.now());
  const key = JSON.stringify([props.project, props.condition, props.from, props.to, props.tick]);
  useEffect(() => void (now.current = Date.now()), [key]);
  const body = { project: props.project, where: props.condition, from_ns: ns(props.from), to_ns: ns(props.to ?? (props.from === null ? null : Date.now())), buckets: BUCKETS };
  const counts = useLoad(props.heat ? null : key, (signal) => json<Counts>("/api/explore/timeline", { body, signal }));
  const heat = useLoad(props.heat ? key : null, (signal) => json<Heat>("/api/explore/heatmap", { body, signal }));
  useEffect(() => props.onTotal(counts.data?.total ?? null), [counts.data]);
  const failed = counts.error ?? heat.error;
  if (failed) return <div class="hist muted pad">The chart cannot be drawn: {String((failed as Error).message)}</div>;
  return <div class={`hist ${props.heat ? "tall" : ""}`} aria-busy={counts.loading || heat.loading}>{props.heat ? <HeatMap data={heat.data} onBox={props.onBox} /> : <Bars data={counts.data} noun={props.noun} />}</div>;
}

function Axis({ from, to }: { from: number; to: number }) {
  const ticks = 5;
  const long = to - from > 86_400_000 * 1.5;
  const text = (ms: number) => {
    const time = new Date(ms);
    const two = (n: number) => String(n).padStart(2, "0");
    const hm = `${two(time.getHours())}:${two(time.getMinutes())}`;
    return long ? `${time.getDate()}.${time.getMonth() + 1}. ${hm}` : to - from < 300_000 ? `${hm}:${two(time.getSeconds())}` : hm;
  };
  return (
    <div class="axis" aria-hidden="true">
      {Array.from({ length: ticks }, (_, i) => (
        <span key={i}>{text(from + ((to - from) * i) / (ticks - 1))}</span>
      ))}
    </div>
  );
}

function useDrag(onDone: (a: number, b: number, y0: number, y1: number) => void) {
  const area = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);
  const at = (event: PointerEvent) => {
    const box = area.current!.getBoundingClientRect();
    return { x: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), y: Math.min(1, Math.max(0, (event.clientY - box.top) / box.height)) };
  };
  const handlers = {
    ref: area,
    onPointerDown: (event: PointerEvent) => {
      const { x, y } = at(event);
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
      setDrag({ x0: x, y0: y, x1: x, y1: y });
    },
    onPointerMove: (event: PointerEvent) => {
      if (!drag) return;
      const { x, y } = at(event);
      setDrag({ ...drag, x1: x, y1: y });
    },
    onPointerUp: () => {
      if (drag && Math.abs(drag.x1 - drag.x0) > 0.008) onDone(Math.min(drag.x0, drag.x1), Math.max(drag.x0, drag.x1), Math.min(drag.y0, drag.y1), Math.max(drag.y0, drag.y1));
      setDrag(null);
    },
    onPointerCancel: () => setDrag(null),
  };
  return { drag, handlers };
}

function Bars({ data, noun }: { data: Counts | null; noun: string }) {
  const from = (data?.from_ns ?? 0) / 1e6;
  const step = (data?.step_ns ?? 0) / 1e6;
  const many = data?.rows.length ?? 0;
  const [over, setOver] = useState<number | null>(null);
  const { drag, handlers } = useDrag((a, b) => setRange({ from: from + Math.floor(a * many) * step, to: from + Math.ceil(b * many) * step }));
  if (!data || !many) return <div class="hist-empty" />;
  const most = Math.max(1, ...data.rows);
  const width = 1000 / many;
  const errors = data.errors.reduce((a, b) => a + b, 0);
  return (
    <>
      <div class="plot" {...handlers} onMouseMove={(event) => setOver(Math.min(many - 1, Math.floor((event.offsetX / event.currentTarget.clientWidth) * many)))} onMouseLeave={() => setOver(null)}>
        <svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={`${count(data.total)} ${noun} over time, ${count(errors)} with errors`}>
          {data.rows.map((rows, i) => {
            if (!rows) return null;
            const bad = data.errors[i]!;
            const height = Math.max(1.5, (rows / most) * 98);
            const red = bad ? Math.max(2.5, (bad / most) * 98) : 0;
            return (
              <g key={i}>
                <rect class={i === over ? "bar-on" : "bar-ok"} x={i * width + width * 0.1} y={100 - height} width={width * 0.8} height={height - Math.min(red, height)} />
                {bad > 0 && <rect class="bar-bad" x={i * width + width * 0.1} y={100 - red} width={width * 0.8} height={red} />}
              </g>
            );
          })}
        </svg>
        {drag && <div class="drag" style={{ left: `${Math.min(drag.x0, drag.x1) * 100}%`, width: `${Math.abs(drag.x1 - drag.x0) * 100}%` }} />}
        {over !== null && !drag && (
          <div class={`tip ${over > many / 2 ? "left" : ""}`} style={{ left: `${((over + 0.5) / many) * 100}%` }}>
            <b>{count(data.rows[over]!)}</b> {noun}
            {data.errors[over]! > 0 && <span class="err"> · {count(data.errors[over]!)} with errors</span>}
            <div class="muted">
              {when(from + over * step)} – {when(from + (over + 1) * step)} · drag to zoom
            </div>
          </div>
        )}
      </div>
      <Axis from={from} to={from + many * step} />
    </>
  );
}

function HeatMap({ data, onBox }: { data: Heat | null; onBox: (box: Box) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const heights = data?.cells.map((cell) => cell[1]) ?? [];
  const low = heights.length ? Math.min(...heights) : 20;
  const high = Math.max(...heights, low + 8) + 1;
  const from = (data?.from_ns ?? 0) / 1e6;
  const step = (data?.step_ns ?? 0) / 1e6;
  const columns = data?.columns ?? 1;
  const ofHeight = (height: number): number => 10 ** (height / (data?.steps_per_decade ?? 4));
  const isDark = dark.value;
  const size = useSize(canvas);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !data) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = element.clientWidth * ratio;
    element.height = element.clientHeight * ratio;
    const pen = element.getContext("2d")!;
    pen.clearRect(0, 0, element.width, element.height);
    const most = Math.max(1, ...data.cells.map((cell) => cell[2]));
    const cellW = element.width / columns;
    const cellH = element.height / (high - low);
    const blue = token("chain");
    const red = token("bad");
    for (const [column, height, rows, errors] of data.cells) {
      pen.globalAlpha = 0.18 + 0.82 * (Math.log1p(rows) / Math.log1p(most));
      pen.fillStyle = errors * 2 > rows ? red : blue;
      pen.fillRect(column * cellW + 0.5, element.height - (height - low + 1) * cellH + 0.5, Math.max(1, cellW - 1), Math.max(1, cellH - 1));
    }
  }, [data, isDark, size]);
  const { drag, handlers } = useDrag((a, b, top, bottom) => {
    const edge = (y: number) => ofHeight(high - y * (high - low));
    onBox({ fromMs: from + Math.floor(a * columns) * step, toMs: from + Math.ceil(b * columns) * step, low: bottom - top < 0.04 ? null : edge(bottom), high: bottom - top < 0.04 ? null : edge(top) });
  });
  const marks = Array.from({ length: 4 }, (_, i) => low + ((high - low) * (i + 0.5)) / 4);
  return (
    <>
      <div class="plot heat" {...handlers}>
        <canvas ref={canvas} role="img" aria-label="Durations over time; drag a box to see what is different inside it" />
        {marks.map((mark) => (
          <span key={mark} class="mark" style={{ bottom: `${((mark - low) / (high - low)) * 100}%` }}>
            {duration(ofHeight(mark))}
          </span>
        ))}
        {drag && <div class="drag" style={{ left: `${Math.min(drag.x0, drag.x1) * 100}%`, width: `${Math.abs(drag.x1 - drag.x0) * 100}%`, top: `${Math.min(drag.y0, drag.y1) * 100}%`, height: `${Math.abs(drag.y1 - drag.y0) * 100}%` }} />}
      </div>
      <Axis from={from} to={from + columns * step} />
    </>
  );
}
