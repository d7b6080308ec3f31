/** One chart for ASK, BOARDS and EXPERIMENTS: time series and scatter by uPlot, categories as bars with their numbers. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "../api/query";
import { number } from "../format";
import { chartData, colour, type ChartData, type Kind } from "./chart_data";
import { Heatmap } from "./heatmap";
import type { PlotProps } from "./plot";
import "./chart.css";

const FAR_APART = 20; // measures whose highest values differ by more have scales of their own
const MOST_BARS = 200; // rows of a bar chart; the table has the others

export function Chart({ answer, kind, onPick }: { answer: Answer; kind: Kind; onPick?: (x: number, label: string | null) => void }) {
  if (kind === "number") return <BigNumber answer={answer} />;
  if (kind === "heatmap") return <Heatmap answer={answer} onPick={onPick} />;
  const data = chartData(answer);
  if (!data) return <p class="muted pad">A chart needs a column of numbers{answer.rows.length ? "" : "; there are no rows"}.</p>;
  if (data.labels) return <Bars data={data} stacked={kind === "stacked"} onPick={onPick} />;
  return <Plot data={data} kind={kind} onPick={onPick} />;
}

function BigNumber({ answer }: { answer: Answer }) {
  const value = answer.rows[0]?.[answer.columns.length - 1];
  return (
    <div class="big-number">
      <b title={String(value)}>{typeof value === "number" ? number(value) : value === null || value === undefined ? "–" : String(value)}</b>
      <span class="muted">{answer.columns.length > 1 ? String(answer.rows[0]?.[0] ?? "") : answer.columns[0]?.name}</span>
    </div>
  );
}

function Bars({ data, stacked, onPick }: { data: ChartData; stacked: boolean; onPick?: (x: number, label: string | null) => void }) {
  const totals = data.labels!.map((_, i) => data.series.reduce((sum, each) => sum + Math.max(0, each.values[i] ?? 0), 0));
  const highest = data.series.map((each) => Math.max(1e-12, ...each.values.map((value) => value ?? 0)));
  const together = stacked || data.series.length === 1 ? Math.max(1e-12, ...totals) : Math.max(...highest);
  // Calls and their tokens side by side: on one scale the smaller measure would be no bar at all.
  const apart = !stacked && data.measures && together > Math.min(...highest) * FAR_APART;
  return (
    <div class="bars-box">
      {data.series.length > 1 && <Legend names={data.series.map((each) => each.name)} left={data.left} note={apart ? "each on a scale of its own" : ""} />}
      <div class="bars">
        {data.labels!.slice(0, MOST_BARS).map((label, i) => (
          <div class="bars-row" key={label}>
            {onPick ? (
              <button class="cut link-like" title={label} onClick={() => onPick(i, label)}>
                {label}
              </button>
            ) : (
              <span class="cut" title={label}>
                {label}
              </span>
            )}
            <span class={stacked ? "bars-stack" : "bars-group"} aria-hidden="true">
              {data.series.map((each, s) => (
                <i key={each.name} title={`${each.name}: ${each.values[i] ?? "–"}`} style={{ width: `${(Math.max(0, each.values[i] ?? 0) / (apart ? highest[s]! : together)) * 100}%`, background: `var(--${colour(s)})` }} />
              ))}
            </span>
            <span class="num">{data.series.length === 1 ? number(data.series[0]!.values[i] ?? 0) : stacked ? number(totals[i]!) : data.series.map((each) => number(each.values[i] ?? 0)).join(" · ")}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

export const Legend = ({ names, left = 0, note = "" }: { names: string[]; left?: number; note?: string }) => (
  <div class="legend">
    {names.map((name, i) => (
      <span key={name} class="cut" title={name}>
        <span class="dot" style={{ "--c": `var(--${colour(i)})` }} />
        {name}
      </span>
    ))}
    {left > 0 && <span class="muted">and {left} more</span>}
    {note && <span class="muted">{note}</span>}
  </div>
);

let loaded: ComponentType<PlotProps> | null = null;

/** Time series and scatter; what draws them comes when the first is drawn. */
function Plot(props: PlotProps) {
  const [Drawn, setDrawn] = useState(() => loaded);
  useEffect(() => {
    if (!Drawn) void import("./plot").then((module) => setDrawn(() => (loaded = module.Plot)));
  }, []);
  return (
    <div class="plot-box">
      {props.data.series.length > 1 && <Legend names={props.data.series.map((each) => each.name)} left={props.data.left} />}
      {Drawn ? <Drawn {...props} /> : <div class="plot-area" />}
    </div>
  );
}
