/** One row whole: its input, what is expected, what each column answered against this one, scores with their reasons. */
import { useState } from "preact/hooks";
import { exact } from "../../api/http";
import type { Row } from "../../api/query";
import { pageUrl, setParams } from "../../app/location";
import { cost, count, duration, plural, scored } from "../../format";
import { keepScoreName, ofKey, scoreName } from "../../parts/actions";
import { colour } from "../../parts/chart_data";
import { Conversation } from "../../parts/conversation";
import { useLoad } from "../../parts/load";
import { messagesOf } from "../../parts/messages";
import { Payload } from "../../parts/payload";
import { FailureNote } from "../../parts/states";
import { comparable, Words } from "../../parts/words";
import { JsonField } from "./fields/json_field";
import type { LivePlay } from "./live";
import { columnsOf, nameOf, textOf, type Cell, type PlayRow, type RowsSource } from "./model";
import { TemplateField } from "./fields/template_field";

export function CellPanel(props: { play: LivePlay; row: PlayRow; id: string; write: boolean; onCase: () => void; onPrompt: () => void; onRun: () => void; score: (name: string, value: number | null) => Promise<unknown> }) {
  const { play, row, id, write } = props;
  const body = play.document.value!.body;
  const cell = play.cell(row.id, id).value;
  const coming = play.text(row.id, id).value;
  const columns = columnsOf(body);
  const source = body.rows;
  const [against, setAgainst] = useState<string>("expected");
  const before = useBefore(play, source, row);
  const others = columns.filter(([each]) => each !== id).map(([each]) => ({ id: each, cell: play.cell(row.id, each).value }));
  const text = cell?.state === "running" ? coming : comparable(useWhole(play, cell));
  const base = against === "expected" ? comparable(row.expected) : against === "before" ? comparable(before) : comparable(others.find((each) => each.id === against)?.cell?.output);
  const bases = [...(row.expected != null ? [["expected", "expected"]] : []), ...(before != null ? [["before", "the trace"]] : []), ...others.filter((each) => each.cell?.state === "done").map((each) => [each.id, nameOf(body, each.id)])] as [string, string][];
  const shown = bases.some(([each]) => each === against) ? against : null;
  const input = messagesOf(row.input, "user");
  return (
    <aside class="panel play-panel" aria-label="The cell">
      <header>
        <div class="row-flex">
          <h2 class="cut">
            <span class="dot" style={{ "--c": `var(--${colour(columns.findIndex(([each]) => each === id))})` }} />
            {nameOf(body, id)} on this row
          </h2>
          <span class="gap" />
          <button class="btn plain small" onClick={() => setParams({ panel: null }, { replace: true })}>
            Close <kbd>Esc</kbd>
          </button>
        </div>
        <div class="row-flex play-actions wrapping">
          <button class="btn small" onClick={props.onPrompt}>
            Prompt <kbd>p</kbd>
          </button>
          {write && (
            <button class="btn small" onClick={props.onRun}>
              Run the row <kbd>R</kbd>
            </button>
          )}
          {write && (
            <button class="btn small" onClick={props.onCase}>
              Add as a case <kbd>d</kbd>
            </button>
          )}
          {cell?.trace_id && (
            <a class="btn small" href={pageUrl(play.project, `trace/${cell.trace_id}`, { span: cell.span_id })}>
              Open trace
            </a>
          )}
          {row.origin?.trace_id && (
            <a class="btn small" href={pageUrl(play.project, `trace/${row.origin.trace_id}`, { span: row.origin.span_id ?? "" })}>
              Where the row is from
            </a>
          )}
        </div>
      </header>
      <div class="panel-body" tabIndex={0} role="group" aria-label="The cell's contents">
        <section class="msg">
          <h4>
            <span>output</span>
            {bases.length > 0 && (
              <span class="name row-flex">
                {bases.map(([each, name]) => (
                  <button key={each} class="btn small" aria-pressed={shown === each} onClick={() => setAgainst(shown === each ? "" : each)}>
                    against {name}
                  </button>
                ))}
              </span>
            )}
          </h4>
          {!cell ? (
            <p class="muted">Not run yet.</p>
          ) : cell.state === "failed" ? (
            <div class="card failed">{cell.error}</div>
          ) : cell.state === "waiting" ? (
            <p class="muted">It waits for its turn.</p>
          ) : shown && cell.state === "done" ? (
            <div class="card plain words">
              <Words before={base} after={text} />
            </div>
          ) : cell.state === "running" || typeof cell.output === "string" ? (
            <div class="card plain words">{text || <span class="muted">asked…</span>}</div>
          ) : (
            <div class="card plain">
              <Payload value={cell.output} />
            </div>
          )}
          {cell && cell.output_characters > 20_000 && <p class="muted small-text">{count(cell.output_characters)} characters</p>}
          {cell?.state === "done" && <Facts cell={cell} />}
          {cell?.missing?.length ? <div class="note warn">This row has nothing for {cell.missing.join(", ")}.</div> : null}
        </section>
        {cell?.state === "done" && <Scores cell={cell} write={write} score={props.score} />}
        <section class="msg">
          <h4>input</h4>
          {source?.source === "typed" && write ? <Typed play={play} row={row} field="input" /> : input && input.length > 0 && typeof row.input === "object" ? <Conversation messages={input} /> : <div class="card plain"><Payload value={row.input} empty="no input" /></div>}
        </section>
        {(row.expected != null || (source?.source === "typed" && write)) && (
          <section class="msg">
            <h4>expected</h4>
            {source?.source === "typed" && write ? <Typed play={play} row={row} field="expected" /> : <div class="card plain"><Payload value={row.expected} /></div>}
          </section>
        )}
        {row.metadata != null && (
          <section class="msg">
            <h4>metadata</h4>
            <div class="card plain">
              <Payload value={row.metadata} />
            </div>
          </section>
        )}
      </div>
    </aside>
  );
}

/** What the model said in the trace that a row is a call of. */
function useBefore(play: LivePlay, source: RowsSource | null | undefined, row: PlayRow): unknown {
  const span = source?.source === "span" ? source : source?.source === "typed" ? null : null;
  const found = useLoad(span ? `before ${span.trace_id} ${span.span_id} ${row.id}` : null, (signal) => exact<Row>(`/api/traces/${span!.trace_id}/spans/${span!.span_id}?project=${encodeURIComponent(play.project)}`, { signal }));
  return found.data?.output ?? null;
}

/** The whole output of a cell; a long one is read from its span. */
function useWhole(play: LivePlay, cell: Cell | null): unknown {
  const long = cell?.state === "done" && cell.output_characters > 20_000 && cell.trace_id;
  const found = useLoad(long ? `whole ${cell.trace_id} ${cell.span_id}` : null, (signal) => exact<Row>(`/api/traces/${cell!.trace_id}/spans/${cell!.span_id}?project=${encodeURIComponent(play.project)}`, { signal }));
  return found.data?.output ?? cell?.output;
}

function Facts({ cell }: { cell: Cell }) {
  const facts = [
    cell.usage.prompt_tokens !== undefined && `${count(cell.usage.prompt_tokens)} in, ${count(cell.usage.completion_tokens ?? 0)} out`,
    cell.cost !== null && cost(cell.cost),
    cell.seconds !== null && duration(cell.seconds * 1e9),
    cell.time_to_first_token !== null && `first token ${duration(cell.time_to_first_token * 1e9)}`,
    cell.turns > 1 && plural(cell.turns, "turn"),
    cell.experiment,
  ].filter(Boolean);
  return <p class="muted small-text play-line-facts">{facts.join(" · ")}</p>;
}

function Scores({ cell, write, score }: { cell: Cell; write: boolean; score: (name: string, value: number | null) => Promise<unknown> }) {
  const [name, setName] = useState(scoreName());
  const [error, setError] = useState<unknown>(null);
  const give = (value: number | null, which = name) => void score(which, value).then(() => setError(null), setError);
  return (
    <section class="msg">
      <h4>scores</h4>
      {Object.entries(cell.scores).map(([each, value]) => (
        <div key={each} class="play-score">
          <div class="score-line">
            <span class="play-score-name cut">{each}</span>
            <span class="meter" aria-hidden="true">
              <i style={{ width: `${Math.max(0, Math.min(1, value ?? 0)) * 100}%` }} />
            </span>
            <b>{value === null ? "–" : scored(value)}</b>
            {write && (
              <button class="btn plain small" aria-label={`Remove the score ${each}`} onClick={() => give(null, each)}>
                ✕
              </button>
            )}
          </div>
          {cell.rationales[each] && <p class="muted plain-text small-text">{cell.rationales[each]}</p>}
        </div>
      ))}
      {Object.entries(cell.scorer_errors).map(([each, text]) => (
        <div key={each} class="note err">
          <b>{each}</b> {text}
        </div>
      ))}
      {!Object.keys(cell.scores).length && !Object.keys(cell.scorer_errors).length && <p class="muted small-text flat">No scores yet.</p>}
      {write && (
        <div class="row-flex play-give">
          <input class="text short" aria-label="Name of the score that the keys 1 to 9 give" value={name} onInput={(event) => (setName(event.currentTarget.value), keepScoreName(event.currentTarget.value))} />
          <div class="seg" role="group" aria-label="Give a score">
            {[1, 3, 5, 7, 9].map((digit) => (
              <button key={digit} onClick={() => give(ofKey(digit))} title={`key ${digit}`}>
                {ofKey(digit)}
              </button>
            ))}
          </div>
          <span class="muted small-text">
            <kbd>1</kbd>–<kbd>9</kbd>
          </span>
        </div>
      )}
      <FailureNote error={error} />
    </section>
  );
}

/** A field of a row that was typed in: text, or JSON of an object or a list. */
function Typed({ play, row, field }: { play: LivePlay; row: PlayRow; field: "input" | "expected" }) {
  const source = play.document.value!.body.rows;
  if (source?.source !== "typed") return null;
  const value = source.items[row.id]?.[field];
  const set = (next: unknown) => play.set(["rows", "items", row.id, field], next);
  if (value !== null && value !== undefined && typeof value !== "string") return <JsonField label={`The row's ${field}`} want="any" value={value} onValue={set} />;
  return <TemplateField label={`The row's ${field}`} plain value={textOf(value)} variables={[]} placeholder={field === "input" ? "What goes in" : "What should come out, if it is known"} onInput={set} />;
}
