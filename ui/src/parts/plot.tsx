/** Time series, bars over time and scatter, drawn by uPlot. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dark, token } from "../app/theme";
import { day, number, utc, when } from "../format";
import { colour, type ChartData, type Kind } from "./chart_data";

export interface PlotProps {
  data: ChartData;
  kind: Kind;
  onPick?: (x: number, label: string | null) => void;
}

export function Plot({ data, kind, onPick }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const isDark = dark.value;
  const pick = useRef(onPick);
  pick.current = onPick;
  useEffect(() => {
    const element = box.current!;
    const plot = new uPlot(options(data, kind, element), columns(data, kind), element);
    const sized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: element.clientHeight }));
    sized.observe(element);
    const clicked = () => {
      const at = plot.cursor.idx;
      if (at !== null && at !== undefined) pick.current?.(data.x[at]!, null);
    };
    plot.over.addEventListener("click", clicked);
    return () => {
      sized.disconnect();
      plot.destroy();
    };
  }, [data, kind, isDark]);
  return (
    <>
      <div class="plot-area" ref={box} role="img" aria-label={`${data.series.map((each) => each.name).join(", ")} by ${data.axis}`} />
      <div class="plot-tip" hidden />
    </>
  );
}

function columns(data: ChartData, kind: Kind): uPlot.AlignedData {
  if (kind !== "stacked") return [data.x, ...data.series.map((each) => each.values)] as uPlot.AlignedData;
  // Each series stands on the ones before it; drawn from the last to the first, so that the lower covers the higher.
  const sums = data.x.map(() => 0);
  const stacked = data.series.map((each) => each.values.map((value, i) => (sums[i] = sums[i]! + (value ?? 0))));
  return [data.x, ...stacked.reverse()] as uPlot.AlignedData;
}

const bars = uPlot.paths.bars!({ size: [0.8, 60] });
const points = () => null;

function options(data: ChartData, kind: Kind, element: HTMLElement): uPlot.Options {
  const ink = token("ink-3");
  const grid = token("line-soft");
  const font = `11px ${token("font")}`;
  const axis: uPlot.Axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font };
  const many = data.series.length;
  const drawn: uPlot.Series[] = data.series.map((each, i) => {
    const paint = token(colour(kind === "stacked" ? many - 1 - i : i));
    const name = kind === "stacked" ? data.series[many - 1 - i]!.name : each.name;
    if (kind === "scatter") return { label: name, stroke: paint, paths: points, points: { show: true, size: 10, fill: paint } };
    if (kind === "bar" || kind === "stacked") return { label: name, stroke: paint, fill: paint, width: 0, paths: bars, points: { show: false } };
    return { label: name, stroke: paint, width: 1.6, fill: kind === "area" ? `${paint}30` : undefined, points: { show: data.x.length < 3, size: 5 }, spanGaps: true };
  });
  return {
    width: element.clientWidth || 400,
    height: element.clientHeight || 200,
    padding: [10, 20, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { x: false, y: false }, y: false },
    scales: { x: { time: data.time, ...(kind === "scatter" || kind === "bar" || kind === "stacked" ? { range: (_: uPlot, low: number, high: number): [number, number] => padded(data, kind, low, high) } : {}) }, y: { range: (_, low, high) => [Math.min(0, low), high <= 0 && low >= 0 ? 1 : high * 1.06] } },
    axes: [
      { ...axis, size: 24, grid: { show: false }, space: data.time ? 80 : 60, values: (_, ticks) => ticks.map((tick) => (data.time ? tickText(tick, ticks) : number(tick))) },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => number(tick)) },
    ],
    series: [{}, ...drawn],
    hooks: { setCursor: [(plot) => tell(plot, data)] },
  };
}

/** Returns the ends of the axis with room for the first and the last point. */
function padded(data: ChartData, kind: Kind, low: number, high: number): [number, number] {
  const steps = data.x.slice(1).map((x, i) => x - data.x[i]!);
  const room = kind === "scatter" ? (high - low || 1) * 0.06 : (steps.length ? Math.min(...steps) : 3600) * 0.6;
  return [low - room, high + room];
}

/** Returns a tick of time: the clock within a day, with the day where it changes. */
function tickText(seconds: number, ticks: number[]): string {
  const time = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const span = ticks.length > 1 ? ticks[ticks.length - 1]! - ticks[0]! : 0;
  const midnight = time.getHours() === 0 && time.getMinutes() === 0;
  if (midnight || span > 86_400 * 5) return day(time);
  return `${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** Says beside the cursor what stands there. */
function tell(plot: uPlot, data: ChartData): void {
  const tip = plot.root.parentElement?.parentElement?.querySelector<HTMLElement>(".plot-tip");
  if (!tip) return;
  const at = plot.cursor.idx;
  tip.hidden = at === null || at === undefined || (plot.cursor.left ?? -1) < 0;
  if (tip.hidden) return;
  const x = data.x[at!]!;
  tip.replaceChildren();
  const head = document.createElement("b");
  head.textContent = data.time ? when(x * 1000) : number(x);
  if (data.time) head.title = utc(x * 1000);
  tip.append(head);
  data.series.forEach((each, i) => {
    const value = each.values[at!];
    if (value === null || value === undefined) return;
    const line = document.createElement("div");
    const dot = document.createElement("span");
    dot.className = "dot";
    dot.style.setProperty("--c", `var(--${colour(i)})`);
    line.append(dot, `${each.name}  ${number(value)}`);
    tip.append(line);
  });
  const left = (plot.cursor.left ?? 0) + plot.over.offsetLeft;
  tip.style.left = `${left > plot.width / 2 ? left - tip.offsetWidth - 12 : left + 12}px`;
}
