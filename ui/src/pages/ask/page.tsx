/** ASK: SQL over everything of a project, with its result as table, chart or plan. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { aborted, Problem } from "../../api/http";
import { query, type Answer } from "../../api/query";
import { useKeys } from "../../app/keys";
import { params, setParams } from "../../app/location";
import { useCommands } from "../../app/palette";
import { mayWrite } from "../../app/session";
import { duration, plural, segmentsRead } from "../../format";
import { AddToDataset, ExportDialog } from "../../parts/actions";
import { Chart } from "../../parts/chart";
import { fitting, type Kind } from "../../parts/chart_data";
import { copy, Menu } from "../../parts/overlay";
import { ResultTable } from "../../parts/result_table";
import { SavedMenu } from "../../parts/saved";
import { Failure, State, Waiting } from "../../parts/states";
import type { ErrorPlace } from "../../parts/editor";
import { AddToBoard } from "../boards/add";
import "./ask.css";

const SHOWN_ROWS = 10_000; // of the page; an export has all
const HISTORY = "tracestore.history";
const KEPT_STATEMENTS = 60;

const EXAMPLES: [string, string][] = [
  ["Model calls by model", "SELECT metadata.model AS model, count(*) AS calls, sum(metrics.tokens) AS tokens,\n       round(quantile_cont(duration, 0.95), 2) AS p95_s, sum(metrics.estimated_cost) AS cost\nFROM spans\nWHERE type = 'llm'\nGROUP BY ALL\nORDER BY calls DESC"],
  ["Traffic and errors over time", "SELECT time_bucket(INTERVAL 30 MINUTE, start_time) AS time, status_code, count(*) AS spans\nFROM spans\nWHERE start_time >= now() - INTERVAL 1 DAY\nGROUP BY ALL\nORDER BY time"],
  ["Tools that fail", "SELECT name, count(*) AS calls, count(*) FILTER (WHERE status_code = 'ERROR') AS failed,\n       any_value(status_message) AS example\nFROM spans\nWHERE type = 'tool'\nGROUP BY name\nORDER BY failed DESC"],
  ["Paths and their types", "SELECT path, type, rows FROM paths ORDER BY rows DESC"],
];

const readHistory = (): string[] => JSON.parse(localStorage.getItem(HISTORY) ?? "[]") as string[];

function keepHistory(sql: string): void {
  const kept = [sql, ...readHistory().filter((each) => each !== sql)].slice(0, KEPT_STATEMENTS);
  localStorage.setItem(HISTORY, JSON.stringify(kept));
}

type EditorType = ComponentType<{ project: string; value: string; onChange: (text: string) => void; onRun: () => void; error: ErrorPlace | null; label: string }>;

export function AskPage({ project }: { project: string }) {
  const given = params.value;
  const sql = given.get("sql") ?? "";
  const view = (given.get("show") ?? "table") as "table" | "chart" | "plan";
  const [text, setText] = useState(sql);
  const [EditorPart, setEditor] = useState<EditorType | null>(null);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [plan, setPlan] = useState<Answer | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [running, setRunning] = useState<AbortController | null>(null);
  const [dialog, setDialog] = useState<"export" | "dataset" | "board" | null>(null);
  const current = useRef(text);
  current.current = text;
  useEffect(() => {
    void import("../../parts/editor").then((module) => setEditor(() => module.default));
  }, []);
  const execute = async (statement: string) => {
    if (!statement.trim()) return;
    const control = new AbortController();
    setRunning((before) => (before?.abort(), control));
    setError(null);
    setPlan(null);
    try {
      const found = await query(statement, { project, maxRows: SHOWN_ROWS, signal: control.signal, timeoutS: 300 });
      if (control.signal.aborted) return;
      setAnswer(found);
      keepHistory(statement);
    } catch (failure) {
      if (control.signal.aborted || aborted(failure)) return;
      setError(failure);
    } finally {
      setRunning((now) => (now === control ? null : now));
    }
  };
  useEffect(() => {
    if (sql !== current.current) setText(sql);
    setAnswer(null);
    void execute(sql);
    return () => setRunning((now) => (now?.abort(), null));
  }, [sql, project]);
  useEffect(() => {
    if (view !== "plan" || plan || !sql) return;
    const control = new AbortController();
    query(`EXPLAIN ANALYZE ${sql}`, { project, signal: control.signal }).then(setPlan, (failure) => !aborted(failure) && setError(failure));
    return () => control.abort();
  }, [view, plan, sql]);
  const run = () => (current.current.trim() === sql ? void execute(sql) : setParams({ sql: current.current.trim() || null, kind: null }));
  const kind = (given.get("kind") as Kind | null) ?? (answer ? fitting(answer) : "table");
  const write = mayWrite.value;
  useKeys([
    { keys: "Ctrl+Enter", label: "Run", run },
    { keys: "/", label: "Edit", run: () => document.querySelector(".cm-host")?.shadowRoot?.querySelector<HTMLElement>(".cm-content")?.focus() },
    { keys: "t", label: "As table", run: () => setParams({ show: null }) },
    { keys: "c", label: "As chart", run: () => setParams({ show: "chart" }) },
    { keys: "p", label: "Plan", run: () => setParams({ show: "plan" }) },
    { keys: "e", label: "Export", run: () => answer && setDialog("export") },
    ...(write ? [{ keys: "d", label: "Add to a dataset", run: () => answer && setDialog("dataset") }, { keys: "b", label: "Add to a board", run: () => answer && setDialog("board") }] : []),
  ]);
  useCommands(EXAMPLES.map(([label, example]) => ({ label: `Ask: ${label}`, run: () => setParams({ sql: example }) })));
  const place = error instanceof Problem ? placeOf(error.message) : null;
  return (
    <>
      <h1 class="sr">Ask {project}</h1>
      <div class="ask-editor">{EditorPart ? <EditorPart project={project} value={sql} onChange={setText} onRun={run} error={place} label="SQL" /> : <Waiting what="Editor…" />}</div>
      <div class="bar ask-bar">
        {running ? (
          <button class="btn" onClick={() => setRunning((now) => (now?.abort(), null))}>
            Cancel
          </button>
        ) : (
          <button class="btn go" onClick={run}>
            Run <kbd>Ctrl Enter</kbd>
          </button>
        )}
        <Menu label={<>History <span aria-hidden="true">▾</span></>} name="History" items={() => [...readHistory().map((each) => ({ label: <span class="mono">{each.replace(/\s+/g, " ").slice(0, 90)}</span>, run: () => setParams({ sql: each }) })), null, ...EXAMPLES.map(([label, example]) => ({ label, hint: "example", run: () => setParams({ sql: example }) }))]} />
        <SavedMenu project={project} kind="query" plural="queries" />
        <button class="btn" onClick={() => void copy(window.location.href, "Link copied")}>
          Copy link
        </button>
        <span class="gap" />
        {view === "chart" && answer && (
          <Menu align="right" label={<>{kind} <span aria-hidden="true">▾</span></>} name={`Chart: ${kind}`} items={(["line", "area", "bar", "stacked", "scatter", "heatmap", "number"] as Kind[]).map((each) => ({ label: each, on: each === kind, run: () => setParams({ kind: each }, { replace: true }) }))} />
        )}
        <div class="seg" role="group" aria-label="Show as">
          {(["table", "chart", "plan"] as const).map((each) => (
            <button key={each} aria-pressed={view === each} onClick={() => setParams({ show: each === "table" ? null : each })}>
              {each === "plan" ? "Explain" : each[0]!.toUpperCase() + each.slice(1)}
            </button>
          ))}
        </div>
      </div>
      <div class="ask-result col" aria-busy={!!running}>
        {error ? (
          <Failure error={error} />
        ) : running && !answer ? (
          <Waiting what="Running…" />
        ) : !answer ? (
          <Examples />
        ) : view === "plan" ? (
          plan ? (
            <div class="body pad">
              {plan.rows.map((row, i) => (
                <section key={i} class="msg">
                  <h4>{String(row[0])}</h4>
                  <pre class="code plan">{String(row[1])}</pre>
                </section>
              ))}
            </div>
          ) : (
            <Waiting what="Explaining…" />
          )
        ) : !answer.rows.length ? (
          <State title="No rows">
            <p>The statement ran and found nothing.</p>
          </State>
        ) : view === "chart" ? (
          <div class="chart-page">
            <Chart answer={answer} kind={kind === "table" ? "bar" : kind} />
          </div>
        ) : (
          <ResultTable answer={answer} project={project} />
        )}
      </div>
      <footer class="foot">
        {answer && <span>{plural(answer.rows.length, "row")}{answer.rows.length === SHOWN_ROWS ? " shown" : ""}</span>}
        {answer && <span>{segmentsRead(answer.stats.segments_read, answer.stats.segments_pruned)}</span>}
        {answer && <span>{plural(answer.stats.leaf_columns, "path column")}</span>}
        {answer && <span title={`planning ${answer.stats.planning_ms.toFixed(1)} ms`}>{duration(answer.ms * 1e6)}</span>}
        {answer?.warnings.map((each) => (
          <span class="warn cut" key={each} title={each}>
            {each}
          </span>
        ))}
        <span class="gap" />
        {write && answer && (
          <button class="link" onClick={() => setDialog("dataset")}>
            Add to dataset <kbd>d</kbd>
          </button>
        )}
        {write && answer && (
          <button class="link" onClick={() => setDialog("board")}>
            Add to board <kbd>b</kbd>
          </button>
        )}
        {answer && (
          <button class="link" onClick={() => setDialog("export")}>
            Export <kbd>e</kbd>
          </button>
        )}
      </footer>
      {dialog === "export" && <ExportDialog project={project} sql={sql} name="answer" onClose={() => setDialog(null)} />}
      {dialog === "board" && <AddToBoard project={project} sql={sql} kind={view === "chart" ? kind : "table"} onClose={() => setDialog(null)} />}
      {dialog === "dataset" && <AddToDataset project={project} sql={sql} what="the rows" onClose={() => setDialog(null)} />}
    </>
  );
}

/** Returns the place that an error names, in lines and columns counted from 1. */
export function placeOf(message: string): ErrorPlace | null {
  const found = /line (\d+),? col(?:umn)?:?\.? ?(\d+)/i.exec(message);
  return found ? { message, line: Number(found[1]), column: Number(found[2]) } : null;
}

function Examples() {
  return (
    <div class="body pad examples">
      <h2>Ask anything in SQL</h2>
      <p class="muted">Every JSON path is a typed column. Paths complete as you type; values complete after = and IN.</p>
      <div class="example-grid">
        {EXAMPLES.map(([label, sql]) => (
          <button key={label} class="example" onClick={() => setParams({ sql })}>
            <b>{label}</b>
            <code>{sql}</code>
          </button>
        ))}
      </div>
    </div>
  );
}
