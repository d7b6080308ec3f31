/** COMPARE: experiments against the first of them, case by case, in which words, at what cost. */
import { useMemo, useRef, useState } from "preact/hooks";
import { json } from "../../api/http";
import { objects, query, quoted, type Row } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { cost, count, duration, oneLine, plural, scored } from "../../format";
import { AddToDataset, caseSql, isOneOf } from "../../parts/actions";
import { colour } from "../../parts/chart_data";
import { useLoad } from "../../parts/load";
import { Menu } from "../../parts/overlay";
import { Failure, State, Waiting } from "../../parts/states";
import { useVirtual } from "../../parts/virtual";
import { comparable, Words } from "../../parts/words";
import { Difference } from "../experiments/page";
import { CasePanel } from "./case_panel";
import "./compare.css";

export interface CaseRun {
  trace_id: string;
  span_id: string;
  trials: number;
  errors: number;
  scores: Record<string, number>;
  metrics: Record<string, number>;
  difference: Record<string, number> | null;
}
export interface ComparedCase {
  key: string;
  name: string;
  group: string | null;
  experiments: Record<string, CaseRun>;
}
interface Summary {
  name: string;
  cases: number;
  trials: number;
  errors: number;
  scores: Record<string, number>;
  metrics: Record<string, { sum: number; mean: number }>;
  new_cases: number | null;
  missing_cases: number | null;
  against_baseline: Record<string, { difference: number; improvements: number; regressions: number; unchanged: number }> | null;
}
interface Compared {
  baseline: string;
  experiments: Summary[];
  groups: { group: string | null; experiments: Summary[] }[] | null;
  cases: ComparedCase[];
  warnings: string[];
}

export type Payloads = Map<string, Row>;

const MOST_CASES = 20_000;
const ROW_PIXELS = 92;
const TEXT_CHARACTERS = 1200; // of a payload in a row; the panel has the whole
type Filter = "all" | "regressed" | "improved" | "same" | "new" | "missing";
const FILTERS: Filter[] = ["regressed", "improved", "same", "new", "missing", "all"];

export function ComparePage({ project }: { project: string }) {
  const given = params.value;
  const names = (given.get("e") ?? "").split("|").filter(Boolean);
  const groupBy = given.get("by") ?? "";
  const compared = useLoad(names.length > 1 ? JSON.stringify([project, names, groupBy]) : null, (signal) => json<Compared>("/api/experiments/compare", { body: { experiments: names, project, cases: MOST_CASES, contents: false, ...(groupBy ? { group_by: groupBy } : {}) }, signal }));
  if (names.length < 2)
    return (
      <State title="Choose two experiments">
        <p>A comparison needs a base and at least one more run.</p>
        <a class="btn" href={pageUrl(project, "experiments")}>
          Go to Experiments
        </a>
      </State>
    );
  if (compared.error) return <Failure error={compared.error} retry={compared.reload} />;
  if (!compared.data) return <Waiting what="Comparing…" />;
  return <Opened project={project} names={names} data={compared.data} groupBy={groupBy} key={names.join("|")} />;
}

const statusOf = (each: ComparedCase, base: string, others: string[], score: string): Filter => {
  const mine = each.experiments[base];
  const run = others.map((name) => each.experiments[name]).find(Boolean);
  if (!run) return "missing";
  if (!mine) return "new";
  const differences = others.map((name) => each.experiments[name]?.difference?.[score]).filter((value): value is number => value !== undefined && value !== null);
  const worst = Math.min(0, ...differences);
  const best = Math.max(0, ...differences);
  return worst < -1e-9 ? "regressed" : best > 1e-9 ? "improved" : "same";
};

const lossOf = (each: ComparedCase, others: string[], score: string): number => Math.min(...others.map((name) => each.experiments[name]?.difference?.[score] ?? 0));

function Opened({ project, names, data, groupBy }: { project: string; names: string[]; data: Compared; groupBy: string }) {
  const given = params.value;
  const base = data.baseline;
  const others = names.filter((name) => name !== base);
  const scores = [...new Set(data.experiments.flatMap((each) => Object.keys(each.scores)))];
  const score = scores.includes(given.get("score") ?? "") ? given.get("score")! : (scores[0] ?? "");
  const only = (FILTERS.includes(given.get("only") as Filter) ? given.get("only") : "all") as Filter;
  const group = given.get("group");
  const statuses = useMemo(() => new Map(data.cases.map((each) => [each, statusOf(each, base, others, score)])), [data, score]);
  const totals = useMemo(() => {
    const found = Object.fromEntries(FILTERS.map((each) => [each, 0])) as Record<Filter, number>;
    for (const status of statuses.values()) found[status]++;
    found.all = data.cases.length;
    return found;
  }, [statuses]);
  const cases = useMemo(
    () => data.cases.filter((each) => (only === "all" || statuses.get(each) === only) && (group === null || (each.group ?? "") === group)).sort((a, b) => lossOf(a, others, score) - lossOf(b, others, score)),
    [data, only, score, group, statuses],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtual({ count: cases.length, size: ROW_PIXELS, scroller: () => scroller.current, overscan: 6 });
  const firstRow = Math.floor((virtual.items[0]?.index ?? 0) / 40) * 40;
  const visible = cases.slice(firstRow, firstRow + 80);
  const payloads = usePayloads(project, visible, names);
  const at = cases.findIndex((each) => each.key === given.get("case"));
  const [dialog, setDialog] = useState(false);
  const goto = (index: number) => {
    const next = cases[Math.max(0, Math.min(cases.length - 1, index))];
    if (!next) return;
    setParams({ case: next.key }, { replace: true });
    virtual.scrollTo(cases.indexOf(next));
  };
  const nextRegression = (step: number) => {
    for (let i = 1; i <= cases.length; i++) {
      const index = (at + step * i + cases.length * 2) % cases.length;
      if (statuses.get(cases[index]!) === "regressed") return goto(index);
    }
  };
  const write = mayWrite.value;
  useKeys([
    { keys: "j", label: "Next case", run: () => goto(at + 1) },
    { keys: "k", label: "Case before", run: () => goto(at - 1) },
    { keys: "n", label: "Next regression", run: () => nextRegression(1) },
    { keys: "N", label: "Regression before", run: () => nextRegression(-1) },
    { keys: "Enter", label: "Open the case", run: () => setParams({ panel: "1" }) },
    { keys: "Escape", label: "Close the case, or go back", run: () => (given.get("panel") ? setParams({ panel: null }) : navigate(pageUrl(project, "experiments"))) },
    { keys: "f", label: "Regressions alone", run: () => setParams({ only: only === "regressed" ? null : "regressed" }) },
    ...(write ? [{ keys: "d", label: "Add what is shown to a dataset", run: () => setDialog(true) }] : []),
  ]);
  const panel = !!given.get("panel") && at >= 0;
  const template = panel ? `minmax(120px, .8fr) ${names.map(() => "minmax(150px, 1.3fr)").join(" ")} 116px` : `minmax(150px, .8fr) minmax(130px, .8fr) ${names.map(() => "minmax(180px, 1.3fr)").join(" ")} 120px`;
  const shown = cases[at];
  const refs = cases.slice(0, 5000).map((each) => each.experiments[others[0]!] ?? each.experiments[base]!).filter(Boolean);
  return (
    <>
      <header class="head">
        <h1>Compare</h1>
        {names.map((name, i) => (
          <span key={name} class="run-chip" style={{ "--c": `var(--${colour(i)})` }}>
            <span class="dot" />
            <a href={pageUrl(project, "traces", { where: `experiment = ${quoted(name)} AND is_root`, last: "all", view: "spans" })} class="cut">
              {name}
            </a>
            {name === base ? <span class="muted">base</span> : null}
            {names.length > 2 && (
              <button class="btn plain small" aria-label={`Leave ${name} out`} onClick={() => setParams({ e: names.filter((each) => each !== name).join("|") })}>
                ✕
              </button>
            )}
          </span>
        ))}
        <button class="btn plain small" onClick={() => setParams({ e: [...names.slice(1), names[0]!].join("|") })} title="Take the next run as the base">
          Swap
        </button>
        <span class="gap" />
        <span class="fact">
          <b>{count(data.cases.length)}</b> cases
        </span>
        <Menu align="right" label={<>{groupBy ? `By ${groupBy}` : "Group by"} <span aria-hidden="true">▾</span></>} items={[{ label: "No groups", on: !groupBy, run: () => setParams({ by: null, group: null }) }, ...["metadata.category", "metadata.topic", "metadata.tier", "tags[0]"].map((path) => ({ label: path, on: groupBy === path, run: () => setParams({ by: path }) }))]} />
      </header>
      <div class="cards">
        {scores.slice(0, 5).map((name) => (
          <ScoreCard key={name} name={name} data={data} others={others} on={name === score} />
        ))}
        <MeasureCards data={data} others={others} />
      </div>
      {data.groups && (
        <div class="bar groups">
          {data.groups.map((each) => {
            const against = each.experiments.find((run) => run.name === others[0])?.against_baseline?.[score];
            const mean = each.experiments.find((run) => run.name === others[0])?.scores[score];
            return (
              <button key={String(each.group)} class="btn small" aria-pressed={group === (each.group ?? "")} onClick={() => setParams({ group: group === (each.group ?? "") ? null : (each.group ?? "") })}>
                {each.group ?? "none"} <b>{mean === undefined ? "–" : scored(mean)}</b> {against && <Difference by={against.difference} />}
              </button>
            );
          })}
        </div>
      )}
      <div class="bar">
        <div class="seg" role="group" aria-label="Which cases">
          {FILTERS.filter((each) => each === "all" || totals[each] > 0).map((each) => (
            <button key={each} aria-pressed={only === each} class={each === "regressed" ? "err" : each === "improved" ? "good" : ""} onClick={() => setParams({ only: each === "all" ? null : each })}>
              {each[0]!.toUpperCase() + each.slice(1)} {count(totals[each])}
            </button>
          ))}
        </div>
        {scores.length > 1 && <Menu label={<>by {score} <span aria-hidden="true">▾</span></>} items={scores.map((name) => ({ label: name, on: name === score, run: () => setParams({ score: name }) }))} />}
        <span class="gap" />
        <span class="muted">
          <kbd>n</kbd> next regression
        </span>
      </div>
      <div class={`compare-split ${given.get("panel") && shown ? "open" : ""}`}>
        <div class="cmp scroll" ref={scroller} role="grid" aria-label="Cases" aria-rowcount={cases.length} tabIndex={0}>
          <div class="crow chead" role="row" style={{ gridTemplateColumns: template }}>
            <span role="columnheader">input</span>
            {!panel && <span role="columnheader">expected</span>}
            {names.map((name, i) => (
              <span role="columnheader" key={name} class="cut">
                <span class="dot" style={{ "--c": `var(--${colour(i)})` }} />
                {name}
              </span>
            ))}
            <span role="columnheader" class="num">
              {score}
            </span>
          </div>
          <div style={{ height: `${virtual.total}px`, position: "relative" }}>
            {virtual.items.map((item) => (
              <CaseRow key={cases[item.index]!.key} each={cases[item.index]!} names={names} base={base} score={score} status={statuses.get(cases[item.index]!)!} payloads={payloads} on={item.index === at} template={template} panel={panel} top={item.start} onOpen={() => setParams({ case: cases[item.index]!.key, panel: "1" })} />
            ))}
          </div>
          {!cases.length && <p class="muted pad">No case is {only === "all" ? "there" : only}.</p>}
        </div>
        {given.get("panel") && shown && <CasePanel project={project} each={shown} names={names} base={base} />}
      </div>
      <footer class="foot">
        <span>
          {count(cases.length)} of {plural(data.cases.length, "case")}
        </span>
        {data.warnings.map((each) => (
          <span class="warn cut" key={each}>
            {each}
          </span>
        ))}
        <span class="gap" />
        {write && (
          <button class="link" onClick={() => setDialog(true)}>
            Add {only === "all" ? "cases" : only === "regressed" ? "regressions" : `${only} cases`} to a dataset <kbd>d</kbd>
          </button>
        )}
        <a class="link" href={pageUrl(project, "ask", { sql: `SELECT * FROM compare(${names.map(quoted).join(", ")})\nORDER BY difference` })}>
          Open as SQL
        </a>
      </footer>
      {dialog && <AddToDataset project={project} what={plural(refs.length, "case")} sql={caseSql(isOneOf(refs))} onClose={() => setDialog(false)} />}
    </>
  );
}

function ScoreCard({ name, data, others, on }: { name: string; data: Compared; others: string[]; on: boolean }) {
  return (
    <button class="card2" aria-pressed={on} onClick={() => setParams({ score: name })}>
      <h2>{name}</h2>
      {others.map((other) => {
        const run = data.experiments.find((each) => each.name === other);
        const against = run?.against_baseline?.[name];
        return (
          <div key={other}>
            <span class="big">{run?.scores[name] === undefined ? "–" : scored(run.scores[name]!, 3)}</span>
            {against && <Difference by={against.difference} />}
            {others.length > 1 && <span class="muted cut"> {other}</span>}
            {against && (
              <div class="muted tally cut">
                <span class="good">{count(against.improvements)} improved</span> · <span class="err">{count(against.regressions)} regressed</span> · {count(against.unchanged)} same
              </div>
            )}
          </div>
        );
      })}
    </button>
  );
}

function MeasureCards({ data, others }: { data: Compared; others: string[] }) {
  const base = data.experiments.find((each) => each.name === data.baseline)!;
  const run = data.experiments.find((each) => each.name === others[0]) ?? base;
  const looks: [string, string, (value: number) => string][] = [
    ["tokens", "tokens a case", count],
    ["estimated_cost", "cost a case", cost],
    ["duration", "duration a case", (value) => duration(value * 1e9)],
  ];
  return (
    <>
      {looks.map(([metric, label, show]) => {
        const now = run.metrics[metric]?.mean;
        const before = base.metrics[metric]?.mean;
        if (now === undefined || before === undefined) return null;
        const change = before ? (now - before) / before : 0;
        return (
          <div class="card2" key={metric}>
            <h2>{label}</h2>
            <span class="big">{show(now)}</span>
            <span class={`difference ${Math.abs(change) < 0.005 ? "muted" : change > 0 ? "err" : "good"}`}>{change > 0 ? "+" : change < 0 ? "−" : "±"}{Math.abs(Math.round(change * 100))} %</span>
            <div class="muted">was {show(before)}</div>
          </div>
        );
      })}
    </>
  );
}

const idOf = (run: CaseRun): string => `${run.trace_id}:${run.span_id}`;

/** Reads the texts of the cases that are seen; what was read stays. */
function usePayloads(project: string, cases: ComparedCase[], names: string[]): Payloads {
  const kept = useRef<Payloads>(new Map());
  const runs = cases.flatMap((each) => names.map((name) => each.experiments[name]).filter((run): run is CaseRun => !!run));
  const missing = runs.filter((run) => !kept.current.has(idOf(run)));
  const found = useLoad(missing.length ? missing.map(idOf).join(",") : null, async (signal) => {
    const answer = await query(`SELECT trace_id, span_id, left(input::VARCHAR, ${TEXT_CHARACTERS}) AS input_text, left(expected::VARCHAR, ${TEXT_CHARACTERS}) AS expected_text, left(output::VARCHAR, ${TEXT_CHARACTERS}) AS output_text, status_message FROM spans WHERE ${isOneOf(missing)}`, { project, signal });
    for (const row of objects(answer)) kept.current.set(`${String(row.trace_id)}:${String(row.span_id)}`, row);
    return kept.current.size;
  });
  void found;
  return kept.current;
}

function textOf(value: unknown): string {
  if (typeof value === "string" && /^[[{]/.test(value)) {
    try {
      return comparable(JSON.parse(value));
    } catch {
      return value;
    }
  }
  return oneLine(value, TEXT_CHARACTERS);
}

function CaseRow(props: { each: ComparedCase; names: string[]; base: string; score: string; status: Filter; payloads: Payloads; on: boolean; template: string; panel: boolean; top: number; onOpen: () => void }) {
  const { each, names, base, score, payloads } = props;
  const any = names.map((name) => each.experiments[name]).find(Boolean)!;
  const first = payloads.get(idOf(any));
  const mine = each.experiments[base];
  const before = mine ? textOf(payloads.get(idOf(mine))?.output_text) : "";
  const other = names.filter((name) => name !== base).map((name) => each.experiments[name]).find(Boolean);
  const from = mine?.scores[score];
  const to = other?.scores[score];
  const tone = props.status === "regressed" ? "err" : props.status === "improved" ? "good" : "muted";
  return (
    <div class={`crow ${props.on ? "on" : ""}`} role="row" style={{ gridTemplateColumns: props.template, transform: `translateY(${props.top}px)` }} onClick={props.onOpen}>
      <span role="gridcell" class="clamp">
        {first ? textOf(first.input_text) : "…"}
      </span>
      {!props.panel && (
        <span role="gridcell" class="clamp muted">
          {first ? textOf(first.expected_text) : ""}
        </span>
      )}
      {names.map((name) => {
        const run = each.experiments[name];
        if (!run) return <span role="gridcell" key={name} class="muted">not run</span>;
        const payload = payloads.get(idOf(run));
        const text = textOf(payload?.output_text);
        return (
          <span role="gridcell" key={name} class="clamp">
            {run.errors > 0 && <span class="err">{oneLine(payload?.status_message) || "failed"} </span>}
            {!payload ? "…" : name === base || !mine ? text : <Words before={before} after={text} />}
          </span>
        );
      })}
      <span role="gridcell" class="num">
        <span class={`${tone} once`}>
          {from === undefined ? "–" : scored(from)} → {to === undefined ? "–" : scored(to)}
        </span>
        <br />
        <button class="link-quiet muted" onClick={props.onOpen}>
          {props.status}
        </button>
      </span>
    </div>
  );
}
