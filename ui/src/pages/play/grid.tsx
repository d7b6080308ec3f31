/** Rows down, columns across: what each way answered on each row, as it comes. */
import { useEffect, useRef } from "preact/hooks";
import { setParams } from "../../app/location";
import { cost, count, duration, oneLine, plural, scored } from "../../format";
import { colour } from "../../parts/chart_data";
import { Menu } from "../../parts/overlay";
import { FailureNote, State, Waiting } from "../../parts/states";
import { useVirtual } from "../../parts/virtual";
import { comparable } from "../../parts/words";
import type { LivePlay } from "./live";
import type { Actions, Way } from "./page";
import type { Cell, Column, PlayRow } from "./model";

const ROW_PIXELS = 96;
const SHOWN_CHARACTERS = 900; // of a cell; its panel has the whole

interface Props {
  play: LivePlay;
  rows: PlayRow[];
  columns: [string, Column][];
  ways: Map<string, Way>;
  row: string;
  column: string;
  actions: Actions;
  write: boolean;
  choose: () => void;
  narrow: boolean;
}

export function Grid(props: Props) {
  const { play, rows, columns } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: rows.length, size: ROW_PIXELS, scroller: () => scroller.current, overscan: 4 });
  const at = rows.findIndex((each) => each.id === props.row);
  useEffect(() => {
    if (at >= 0) virtual.scrollTo(at);
  }, [at]);
  useEffect(() => {
    scroller.current?.querySelector(".play-column.on")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [props.column]);
  const template = props.narrow ? `minmax(160px, .5fr) ${columns.map(() => "minmax(236px, 1fr)").join(" ")}` : `minmax(200px, .7fr) ${columns.map(() => "minmax(264px, 1fr)").join(" ")}`;
  return (
    <div class="play-grid" ref={scroller} role="grid" aria-label="Rows and columns" aria-rowcount={rows.length + 1} aria-colcount={columns.length + 1} aria-busy={!play.rows.value && !play.rowsError.value} tabIndex={0}>
      <div class="play-row play-head" role="row" style={{ gridTemplateColumns: template }}>
        <div role="columnheader" class="play-input muted">
          input and what is expected
        </div>
        {columns.map(([id], i) => (
          <ColumnHead key={id} id={id} number={i} {...props} way={props.ways.get(id)!} />
        ))}
      </div>
      {play.rowsError.value ? (
        <div class="pad play-sticky">
          <FailureNote error={play.rowsError.value} />
          {props.write && (
            <button class="btn play-after" onClick={props.choose}>
              Choose rows
            </button>
          )}
        </div>
      ) : !play.rows.value ? (
        <Waiting />
      ) : !rows.length ? (
        <State title="No rows yet">
          <p>Rows come from a dataset, from a query, from one call of a trace, or are typed in.</p>
          {props.write && (
            <button class="btn go" onClick={props.choose}>
              Choose rows <kbd>o</kbd>
            </button>
          )}
        </State>
      ) : (
        <div style={{ height: `${virtual.total}px`, position: "relative", minWidth: "fit-content" }} role="presentation">
          {virtual.items.map((item) => {
            const row = rows[item.index]!;
            return (
              <div key={row.id} class={`play-row play-line ${row.id === props.row ? "on" : ""}`} role="row" aria-rowindex={item.index + 2} style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}>
                <div role="rowheader" class="play-input" onClick={() => setParams({ row: row.id, panel: "cell" }, { replace: true })}>
                  <div class="play-clip">{inputText(row.input)}</div>
                  {row.expected !== null && row.expected !== undefined && <div class="play-expected cut muted" title={oneLine(comparable(row.expected), 1000)}>→ {oneLine(comparable(row.expected), 300)}</div>}
                </div>
                {columns.map(([id]) => (
                  <CellBox key={id} play={play} row={row.id} column={id} on={row.id === props.row && id === props.column} />
                ))}
              </div>
            );
          })}
        </div>
      )}
    </div>
  );
}

/** Returns an input as a person reads it: of a conversation what was said last. */
export function inputText(value: unknown): string {
  const messages = Array.isArray(value) ? value : Array.isArray((value as { messages?: unknown } | null)?.messages) ? (value as { messages: unknown[] }).messages : null;
  const last = messages?.filter((each) => (each as { role?: string } | null)?.role === "user").pop();
  if (last) return oneLine(comparable((last as { content?: unknown }).content), SHOWN_CHARACTERS);
  if (value && typeof value === "object" && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.length > 1 && entries.every(([, each]) => typeof each !== "object" || each === null)) return entries.map(([key, each]) => `${key}: ${String(each)}`).join("\n").slice(0, SHOWN_CHARACTERS);
  }
  return comparable(value).slice(0, SHOWN_CHARACTERS);
}

function ColumnHead({ play, id, number, way, actions, write, column, columns }: Props & { id: string; number: number; way: Way }) {
  const labels = way.base ? Object.entries(way.base.labels).filter(([, version]) => version === way.base!.version).map(([label]) => label) : [];
  const on = id === column;
  const parameters = Object.entries(way.whole.parameters ?? {}).map(([name, value]) => `${name} ${oneLine(value, 40)}`).join(", ");
  return (
    <div role="columnheader" aria-selected={on} class={`play-column ${on ? "on" : ""}`} style={{ "--c": `var(--${colour(number)})` }}>
      <div class="row-flex">
        <span class="dot" />
        <button class="play-open strong cut" onClick={() => actions.open(id)} title="The prompt of this column">
          {way.name}
        </button>
        {way.column.prompt && (
          <span class="chip cut" title={`${way.column.prompt.slug}, version ${way.column.prompt.version}`}>
            {way.column.prompt.slug} <b>v{way.column.prompt.version}</b>
          </span>
        )}
        {labels.map((label) => (
          <span class="chip label-chip" key={label}>
            {label}
          </span>
        ))}
        {way.edited && <span class="warn small-text">edited</span>}
        <span class="gap" />
        <Menu
          class="btn plain small"
          name={`Column ${way.name}`}
          align="right"
          label={<span aria-hidden="true">⋯</span>}
          items={[
            { label: "Prompt, model, parameters", hint: "p", run: () => actions.open(id) },
            ...(write
              ? [
                  { label: "Run this column", hint: "C", run: () => actions.run(id) },
                  { label: "Stop this column", run: () => actions.stop(id) },
                  null,
                  { label: "Save as a version…", hint: "v", run: () => actions.setDialog("save", id) },
                  ...(way.column.prompt ? [{ label: "Versions…", hint: "V", run: () => actions.setDialog("versions", id) }] : []),
                  { label: "Promote…", hint: "P", run: () => actions.setDialog("promote", id) },
                  ...(way.column.experiment ? [{ label: "Keep this run…", hint: "K", run: () => actions.setDialog("keep", id) }] : []),
                  null,
                  ...(columns.length > 1 ? [{ label: "Remove", hint: "Delete", run: () => actions.remove(id) }] : []),
                ]
              : []),
          ]}
        />
      </div>
      <div class="row-flex play-model-line muted small-text">
        <span class="cut" title={parameters}>
        {way.failed ? <span class="err">its prompt is gone</span> : way.whole.model ? `${way.whole.provider ? `${way.whole.provider} · ` : ""}${way.whole.model}${parameters ? ` · ${parameters}` : ""}` : "choose a model"}
        </span>
      </div>
      <Sums play={play} id={id} />
    </div>
  );
}

/** What a column's cells come to: means of scores, cost, seconds. */
function Sums({ play, id }: { play: LivePlay; id: string }) {
  void play.turn.value;
  let done = 0;
  let failed = 0;
  let spent = 0;
  let seconds = 0;
  const scores = new Map<string, { sum: number; n: number }>();
  for (const cell of play.known(id)) {
    if (cell.state === "failed") failed++;
    if (cell.state !== "done") continue;
    done++;
    spent += cell.cost ?? 0;
    seconds += cell.seconds ?? 0;
    for (const [name, value] of Object.entries(cell.scores)) {
      if (value === null) continue;
      const known = scores.get(name) ?? { sum: 0, n: 0 };
      scores.set(name, { sum: known.sum + value, n: known.n + 1 });
    }
  }
  if (!done && !failed) return <div class="play-sums muted small-text">not run yet</div>;
  return (
    <div class="play-sums small-text">
      {[...scores].slice(0, 3).map(([name, each]) => (
        <span key={name} class="score" title={`${name}: mean of ${plural(each.n, "cell")}`}>
          <span class="cut">{name}</span> <b>{scored(each.sum / each.n)}</b>
        </span>
      ))}
      <span class="gap" />
      <span class="muted cost">{spent ? cost(spent) : ""}</span>
      <span class="muted" title="mean of a cell">
        {done ? duration((seconds / done) * 1e9) : ""}
      </span>
      {failed > 0 && <span class="err">{count(failed)} failed</span>}
    </div>
  );
}

function CellBox({ play, row, column, on }: { play: LivePlay; row: string; column: string; on: boolean }) {
  const cell = play.cell(row, column).value;
  const open = () => setParams({ row, col: column, panel: "cell" }, { replace: true });
  return (
    <div role="gridcell" aria-selected={on} class={`play-cell ${on ? "on" : ""} ${cell?.is_current === false ? "stale" : ""}`} onClick={open}>
      {!cell ? (
        <span class="muted">–</span>
      ) : cell.state === "waiting" ? (
        <span class="muted">waiting</span>
      ) : cell.state === "failed" ? (
        <div class="play-clip err">{cell.error}</div>
      ) : cell.state === "running" ? (
        <Coming play={play} row={row} column={column} />
      ) : (
        <div class="play-clip">{comparable(cell.output).slice(0, SHOWN_CHARACTERS) || <span class="muted">empty</span>}</div>
      )}
      {cell && (cell.state === "done" || cell.state === "failed") && <CellFacts cell={cell} />}
    </div>
  );
}

function Coming({ play, row, column }: { play: LivePlay; row: string; column: string }) {
  const text = play.text(row, column).value;
  return (
    <div class="play-clip coming" aria-busy="true">
      {text.slice(-SHOWN_CHARACTERS) || <span class="muted">asked…</span>}
    </div>
  );
}

function CellFacts({ cell }: { cell: Cell }) {
  const wrong = Object.keys(cell.scorer_errors);
  return (
    <div class="play-facts small-text muted">
      {Object.entries(cell.scores).map(([name, value]) => (
        <span key={name} class={`score ${value === null ? "" : value >= 0.999 ? "good" : value <= 0.001 ? "err" : ""}`} title={cell.rationales[name] ?? name}>
          <span class="cut">{name}</span> <b>{value === null ? "–" : scored(value)}</b>
        </span>
      ))}
      {wrong.length > 0 && (
        <span class="err" title={Object.values(cell.scorer_errors).join("\n")}>
          {plural(wrong.length, "scorer")} failed
        </span>
      )}
      <span class="gap" />
      {cell.is_current === false && <span class="warn">changed since</span>}
      {cell.cost !== null && <span class="cost" title={`$${cell.cost}`}>{cost(cell.cost)}</span>}
      {cell.seconds !== null && <span>{duration(cell.seconds * 1e9)}</span>}
    </div>
  );
}
