/** EXPERIMENTS: runs of evals with their scores, against their base; choose some and compare them. */
import { useMemo, useState } from "preact/hooks";
import { json } from "../../api/http";
import { keysOf, objects, pathOf, query, type Answer, type Row } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { cost, count, duration, oneLine, plural, scored, utc, when } from "../../format";
import { Chart } from "../../parts/chart";
import { useLoad } from "../../parts/load";
import { Menu } from "../../parts/overlay";
import { Failure, State, Waiting } from "../../parts/states";
import "./experiments.css";

interface Experiment extends Row {
  name: string;
  scores: Record<string, number>;
}

const MOST_COMPARED = 8;

export function ExperimentsPage({ project }: { project: string }) {
  const found = useLoad(`experiments ${project}`, (signal) => load(project, signal));
  const [chosen, setChosen] = useState<string[]>([]);
  const given = params.value;
  const all = found.data?.experiments ?? [];
  const sort = given.get("sort") ?? "-when";
  const groupBy = given.get("by") ?? "";
  const rows = useMemo(() => ordered(all, sort, groupBy), [all, sort, groupBy]);
  const row = rows.findIndex((each) => each.name === given.get("row"));
  const toggle = (name: string) => setChosen(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name].slice(-MOST_COMPARED));
  const compareUrl = (names: string[]) => pageUrl(project, "compare", { e: names.join("|") });
  const openOne = (each: Experiment) => (each.base && all.some((other) => other.name === each.base) ? compareUrl([String(each.base), each.name]) : pageUrl(project, "traces", { where: `experiment = '${each.name.replaceAll("'", "''")}' AND is_root`, last: "all", view: "spans" }));
  const move = (by: number) => rows.length && setParams({ row: rows[Math.max(0, Math.min(rows.length - 1, row + by))]!.name }, { replace: true });
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(row < 0 ? 1 : -1) },
    { keys: "x", label: "Choose for comparing", run: () => rows[row] && toggle(rows[row]!.name) },
    { keys: "Enter", label: "Open, or compare the chosen ones", run: () => (chosen.length > 1 ? navigate(compareUrl(chosen)) : rows[row] && navigate(openOne(rows[row]!))) },
  ]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  if (!all.length) return <NoExperiments project={project} />;
  const names = found.data.scores;
  const byName = new Map(all.map((each) => [each.name, each]));
  const head = (id: string, label: string, right = false) => (
    <th class={right ? "num" : ""} aria-sort={sort.replace("-", "") === id ? (sort.startsWith("-") ? "descending" : "ascending") : undefined}>
      <button class="sort" onClick={() => setParams({ sort: sort === `-${id}` ? id : `-${id}` })}>
        {label}
        {sort.replace("-", "") === id && (sort.startsWith("-") ? " ↓" : " ↑")}
      </button>
    </th>
  );
  return (
    <>
      <header class="head">
        <h1>Experiments</h1>
        <span class="fact">
          <b>{count(all.length)}</b> {all.length === 1 ? "run" : "runs"}
        </span>
        <span class="gap" />
        <Menu label={<>{groupBy ? `Group by ${groupBy}` : "Group by"} <span aria-hidden="true">▾</span></>} align="right" items={[{ label: "No groups", on: !groupBy, run: () => setParams({ by: null }) }, null, ...["dataset", "git_commit", ...found.data.metadata.map((key) => `metadata.${key}`)].map((key) => ({ label: key, on: groupBy === key, run: () => setParams({ by: key }) }))]} />
        <a class={`btn ${chosen.length > 1 ? "go" : ""}`} aria-disabled={chosen.length < 2} href={chosen.length > 1 ? compareUrl(chosen) : undefined}>
          {chosen.length > 1 ? `Compare ${chosen.length}` : "Choose two to compare"}
        </a>
      </header>
      <div class="body">
        {all.length > 2 && <Scatter rows={all} names={names} groupBy={groupBy} />}
        <table class="grid">
          <thead>
            <tr>
              <th>
                <span class="sr">chosen</span>
              </th>
              {head("name", "name")}
              {head("when", "when")}
              {head("dataset", "dataset")}
              {head("cases", "cases", true)}
              {head("errors", "errors", true)}
              {names.map((name) => head(`scores.${name}`, name, true))}
              {head("tokens", "tokens", true)}
              {head("cost", "cost", true)}
              {head("duration", "duration", true)}
            </tr>
          </thead>
          <tbody>
            {rows.map((each, i) => {
              const base = each.base ? byName.get(String(each.base)) : undefined;
              const group = groupBy ? groupOf(each, groupBy) : "";
              const first = groupBy && (i === 0 || groupOf(rows[i - 1]!, groupBy) !== group);
              return (
                <>
                  {first && (
                    <tr class="group-row" key={`group ${group}`}>
                      <th colSpan={9 + names.length} scope="rowgroup">
                        {groupBy.replace("metadata.", "")}: {group || "none"}
                      </th>
                    </tr>
                  )}
                  <tr key={each.name} class={i === row ? "on" : ""} aria-selected={chosen.includes(each.name)}>
                    <td>
                      <input type="checkbox" aria-label={`Choose ${each.name}`} checked={chosen.includes(each.name)} onChange={() => toggle(each.name)} />
                    </td>
                    <td>
                      <a class="strong" href={openOne(each)}>
                        {each.name}
                      </a>
                      {base && <div class="muted small-text">against {String(each.base)}</div>}
                    </td>
                    <td class="muted" title={utc(Number(each.at))}>
                      {when(Number(each.at))}
                    </td>
                    <td class="muted">
                      {each.dataset ? (
                        <a href={pageUrl(project, `datasets/${String(each.dataset)}`, { version: String(each.dataset_version ?? "") })}>
                          {String(each.dataset)}
                          {each.dataset_version ? `@${String(each.dataset_version)}` : ""}
                        </a>
                      ) : (
                        "–"
                      )}
                      {each.git_commit ? <span class="mono"> {String(each.git_commit).slice(0, 8)}</span> : null}
                    </td>
                    <td class="num">{count(Number(each.case_count))}</td>
                    <td class={`num ${Number(each.error_count) ? "err" : "muted"}`}>{count(Number(each.error_count))}</td>
                    {names.map((name) => (
                      <td class="num" key={name}>
                        {each.scores[name] === undefined || each.scores[name] === null ? <span class="muted">–</span> : scored(each.scores[name]!, 3)}
                        {base && each.scores[name] != null && base.scores[name] != null && <Difference by={each.scores[name]! - base.scores[name]!} />}
                      </td>
                    ))}
                    <td class="num">{each.tokens ? count(Number(each.tokens)) : <span class="muted">–</span>}</td>
                    <td class="num">{each.cost ? cost(Number(each.cost)) : <span class="muted">–</span>}</td>
                    <td class="num" title="mean of a case">{each.duration_ns ? duration(Number(each.duration_ns)) : <span class="muted">–</span>}</td>
                  </tr>
                </>
              );
            })}
          </tbody>
        </table>
      </div>
      <footer class="foot">
        <span>{chosen.length ? `${chosen.length} chosen` : plural(all.length, "experiment")}</span>
        <span>{duration(found.data.ms * 1e6)}</span>
        <span>
          <kbd>x</kbd> choose
        </span>
        <span>
          <kbd>Enter</kbd> open or compare
        </span>
        <span class="gap" />
        <a class="link" href={pageUrl(project, "ask", { sql: found.data.sql })}>
          Open as SQL
        </a>
      </footer>
    </>
  );
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

export function Difference({ by }: { by: number }) {
  const rounded = round(by);
  return <span class={`difference ${rounded > 0 ? "good" : rounded < 0 ? "err" : "muted"}`}>{rounded === 0 ? "±0" : `${rounded > 0 ? "+" : "−"}${scored(Math.abs(rounded), 3)}`}</span>;
}

const groupOf = (each: Experiment, by: string): string => oneLine(by.startsWith("metadata.") ? (each.metadata as Row | null)?.[by.slice(9)] : each[by]);

function ordered(all: Experiment[], sort: string, groupBy: string): Experiment[] {
  const id = sort.replace("-", "");
  const value = (each: Experiment): number | string => (id.startsWith("scores.") ? (each.scores[id.slice(7)] ?? -Infinity) : id === "name" || id === "dataset" ? String(each[id] ?? "") : Number(each[{ when: "at", cases: "case_count", errors: "error_count", duration: "duration_ns" }[id] ?? id] ?? -Infinity));
  const sign = sort.startsWith("-") ? -1 : 1;
  return [...all].sort((a, b) => {
    const group = groupBy ? groupOf(a, groupBy).localeCompare(groupOf(b, groupBy)) : 0;
    const [x, y] = [value(a), value(b)];
    return group || sign * (typeof x === "string" ? x.localeCompare(String(y)) : x - Number(y));
  });
}

interface Loaded {
  experiments: Experiment[];
  scores: string[];
  metadata: string[];
  sql: string;
  ms: number;
}

const MOST_SCORES = 8; // columns of scores; more are a table of their own in ASK

async function load(project: string, signal: AbortSignal): Promise<Loaded> {
  const started = performance.now();
  const schema = await json<{ paths: { path: string; types: Record<string, number> }[] }>(`/api/schema?table=spans&prefix=scores.&limit=100&project=${encodeURIComponent(project)}`, { signal });
  const names = [...new Set(schema.paths.map((each) => keysOf(each.path)[1] ?? ""))].filter(Boolean);
  const sums = `SELECT experiment AS name, ${names.map((name) => `avg(${pathOf(["scores", name])}::DOUBLE) FILTER (WHERE is_root) AS "score ${name.replaceAll('"', '""')}"`).concat(["sum(metrics.tokens) AS tokens", "sum(metrics.estimated_cost) AS cost", "avg(duration_ns) FILTER (WHERE is_root) AS duration_ns"]).join(",\n  ")}\nFROM spans\nWHERE experiment IS NOT NULL\nGROUP BY experiment`;
  const [records, measured] = await Promise.all([query("SELECT name, created, start_time, case_count, error_count, dataset, dataset_version, base, git_commit, metadata FROM experiments", { project, signal }), query(sums, { project, signal })]);
  const byName = new Map(objects(measured).map((each) => [String(each.name), each]));
  const experiments = objects(records).map((each) => {
    const sum = byName.get(String(each.name)) ?? {};
    const scores = Object.fromEntries(names.map((name) => [name, sum[`score ${name}`] as number]));
    const time = String(each.start_time ?? each.created ?? "");
    return { ...each, tokens: sum.tokens, cost: sum.cost, duration_ns: sum.duration_ns, name: String(each.name), at: Date.parse(time.replace(" ", "T").replace(/\+00$/, "Z")), scores } as Experiment;
  });
  const used = names.filter((name) => experiments.some((each) => each.scores[name] !== null && each.scores[name] !== undefined)).slice(0, MOST_SCORES);
  const metadata = [...new Set(experiments.flatMap((each) => Object.keys((each.metadata as Row | null) ?? {})))];
  return { experiments, scores: used, metadata, sql: sums, ms: performance.now() - started };
}

function Scatter({ rows, names, groupBy }: { rows: Experiment[]; names: string[]; groupBy: string }) {
  const measures = [...names.map((name) => `scores.${name}`), "cost", "tokens", "duration"];
  const given = params.value;
  const x = measures.includes(given.get("x") ?? "") ? given.get("x")! : rows.some((row) => row.cost) ? "cost" : "duration";
  const y = measures.includes(given.get("y") ?? "") ? given.get("y")! : (measures[0] ?? "duration");
  const value = (each: Experiment, measure: string): number | null => {
    const found = measure.startsWith("scores.") ? each.scores[measure.slice(7)] : measure === "duration" ? (each.duration_ns === undefined || each.duration_ns === null ? null : Number(each.duration_ns) / 1e9) : each[measure];
    return found === null || found === undefined ? null : Number(found);
  };
  const by = groupBy || "";
  const answer = useMemo(() => {
    const columns = [{ name: x, type: "DOUBLE" }, { name: y, type: "DOUBLE" }];
    const points = rows.map((row) => [value(row, x), value(row, y), by ? groupOf(row, by) || "none" : row.name]).filter((row) => row[0] !== null && row[1] !== null);
    return { columns: [...columns, { name: by || "name", type: "VARCHAR" }], rows: points, warnings: [], cursor: null, stats: {} as Answer["stats"], ms: 0 } satisfies Answer;
  }, [rows, x, y, by]);
  const pickMenu = (axis: "x" | "y", now: string) => <Menu class="btn small" label={<>{axis}: {now.replace("scores.", "")} <span aria-hidden="true">▾</span></>} items={measures.map((each) => ({ label: each.replace("scores.", ""), on: each === now, run: () => setParams({ [axis]: each }, { replace: true }) }))} />;
  return (
    <section class="scatter" aria-label="Two measures of all runs">
      <div class="row-flex">
        {pickMenu("y", y)}
        <span class="muted">by</span>
        {pickMenu("x", x)}
      </div>
      <Points answer={answer} />
    </section>
  );
}

const Points = ({ answer }: { answer: Answer }) => (answer.rows.length ? <Chart answer={scatterAnswer(answer)} kind="scatter" /> : <p class="muted">No run has both measures.</p>);

/** Puts the texts last, so that the first number is the axis. */
const scatterAnswer = (answer: Answer): Answer => {
  const groups = [...new Set(answer.rows.map((row) => String(row[2])))];
  return { ...answer, columns: [answer.columns[0]!, ...groups.map((name) => ({ name, type: "DOUBLE" }))], rows: answer.rows.map((row) => [row[0], ...groups.map((name) => (String(row[2]) === name ? row[1] : null))]) };
};

function NoExperiments({ project }: { project: string }) {
  return (
    <State title="No experiments yet">
      <p>An experiment is a named run of a task over cases, with scores. From Python:</p>
      <pre class="code">{`from tracestore import Eval\nfrom tracestore.evals import dataset\nfrom tracestore.scorers import exact_match\n\nEval(\n    "${project}",\n    experiment="first try",\n    data=dataset("questions"),\n    task=my_task,\n    scores=[exact_match],\n    url="${window.location.origin}",\n)`}</pre>
      <p class="muted below">
        Cases come from a dataset: choose rows in <a class="link" href={pageUrl(project, "traces")}>Traces</a> and press <kbd>d</kbd>.
      </p>
    </State>
  );
}
