/** "What is different?": the paths whose values differ most inside a box of the heatmap and outside it. */
import { json } from "../../api/http";
import { literal } from "../../api/query";
import { count, duration, number, share, when } from "../../format";
import { useLoad } from "../../parts/load";
import { choose } from "../../parts/sql_text";
import { Failure, State, Waiting } from "../../parts/states";
import { stamp } from "./sql";
import { setRange } from "../../parts/range";
import { readState, setWhere } from "./state";
import type { Box } from "./timeline";

interface Difference {
  path: string;
  score: number;
  values: { value: unknown; inside: number; outside: number }[];
}
interface Answer {
  inside: number;
  outside: number;
  differences: Difference[];
  warnings: string[];
}

export const boxTerms = (box: Box): string[] => [
  `start_time >= ${stamp(box.fromMs)}`,
  `start_time < ${stamp(box.toMs)}`,
  ...(box.low === null ? [] : [`duration_ns >= ${Math.floor(box.low)}`]),
  ...(box.high === null ? [] : [`duration_ns < ${Math.ceil(box.high)}`]),
];

export function Differences({ project, where, box, onClose }: { project: string; where: string; box: Box; onClose: () => void }) {
  const inside = boxTerms(box).join(" AND ");
  const found = useLoad(JSON.stringify([project, where, inside]), (signal) => json<Answer>("/api/explore/differences", { body: { project, where, inside }, signal }));
  const zoom = () => {
    setRange({ from: box.fromMs, to: box.toMs });
    const state = readState();
    const more = boxTerms(box).slice(2);
    if (more.length) setWhere([...(state.where ? [state.where] : []), ...more].join(" AND "));
    onClose();
  };
  const state = readState();
  return (
    <section class="differences body" aria-label="What is different">
      <header class="bar">
        <h2>What is different?</h2>
        <span class="muted cut">
          {when(box.fromMs)} – {when(box.toMs)}
          {box.low !== null && `, ${duration(box.low)} – ${duration(box.high!)}`}
          {found.data && `: ${count(found.data.inside)} inside, ${count(found.data.outside)} outside`}
        </span>
        <span class="gap" />
        <button class="btn" onClick={zoom}>
          Zoom to it
        </button>
        <button class="btn" onClick={onClose}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      {found.error ? (
        <Failure error={found.error} retry={found.reload} />
      ) : !found.data ? (
        <Waiting what="Comparing inside with outside…" />
      ) : !found.data.differences.length ? (
        <State title="Nothing tells them apart">
          <p>No path has values that are more frequent inside the box than outside it.</p>
        </State>
      ) : (
        <div class="diff-grid">
          {found.data.differences.map((each) => (
            <div class="diff-card" key={each.path}>
              <h3 class="cut" title={each.path}>
                {each.path}
              </h3>
              {each.values.map((value) => {
                const text = value.value === null ? "(none)" : typeof value.value === "number" ? number(value.value) : String(value.value);
                return (
                  <button key={text} class="diff-row" title={`${text}: ${share(value.inside)} inside, ${share(value.outside)} outside`} onClick={() => (value.value === null ? setWhere(`${state.where ? `${state.where} AND ` : ""}${each.path} IS NULL`) : setWhere(choose(state.where, each.path, literal(value.value))))}>
                    <span class="cut">{text}</span>
                    <span class="pair" aria-hidden="true">
                      <i class="in" style={{ width: `${value.inside * 100}%` }} />
                      <i class="out" style={{ width: `${value.outside * 100}%` }} />
                    </span>
                    <span class="num">{share(value.inside)}</span>
                    <span class="num muted">{share(value.outside)}</span>
                  </button>
                );
              })}
            </div>
          ))}
        </div>
      )}
    </section>
  );
}
