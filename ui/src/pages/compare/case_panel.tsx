/** One case whole: its input, what was expected, each output against the base, scores, and the ways to the traces. */
import { objects, query, type Row } from "../../api/query";
import { pageUrl, setParams } from "../../app/location";
import { scored } from "../../format";
import { isOneOf } from "../../parts/actions";
import { colour } from "../../parts/chart_data";
import { Conversation } from "../../parts/conversation";
import { useLoad } from "../../parts/load";
import { messagesOf } from "../../parts/messages";
import { Payload } from "../../parts/payload";
import { Failure, Waiting } from "../../parts/states";
import { comparable, Words } from "../../parts/words";
import type { ComparedCase } from "./page";

export function CasePanel({ project, each, names, base }: { project: string; each: ComparedCase; names: string[]; base: string }) {
  const runs = names.filter((name) => each.experiments[name]).map((name) => each.experiments[name]!);
  const spans = useLoad(`case ${project} ${runs.map((run) => run.span_id).join(",")}`, async (signal) => {
    const rows = objects(await query(`SELECT trace_id, span_id, input, expected, output, scores, metadata, status_message FROM spans WHERE ${isOneOf(runs)}`, { project, signal }));
    return new Map(rows.map((row) => [String(row.span_id), row]));
  });
  if (spans.error) return <aside class="panel"><Failure error={spans.error} retry={spans.reload} /></aside>;
  if (!spans.data) return <aside class="panel"><Waiting /></aside>;
  const rowOf = (name: string): Row | undefined => spans.data!.get(each.experiments[name]?.span_id ?? "");
  const first = names.map(rowOf).find(Boolean);
  const before = comparable(rowOf(base)?.output);
  const input = messagesOf(first?.input, "user");
  return (
    <aside class="panel" aria-label="The case">
      <header class="row-flex">
        <h2 class="cut">{each.name || "Case"}</h2>
        <span class="gap" />
        <button class="btn plain small" onClick={() => setParams({ panel: null })}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      <div class="panel-body" tabIndex={0}>
        <section class="msg">
          <h4>input</h4>
          {input ? <Conversation messages={input} /> : <div class="card plain"><Payload value={first?.input} /></div>}
        </section>
        {first?.expected != null && (
          <section class="msg">
            <h4>expected</h4>
            <div class="card plain">
              <Payload value={first.expected} />
            </div>
          </section>
        )}
        {names.map((name, i) => {
          const run = each.experiments[name];
          const row = rowOf(name);
          if (!run || !row) return null;
          const text = comparable(row.output);
          return (
            <section class="msg" key={name}>
              <h4>
                <span>
                  <span class="dot" style={{ "--c": `var(--${colour(i)})` }} />
                  {name}
                </span>
                <a class="name link" href={pageUrl(project, `trace/${run.trace_id}`, { span: run.span_id })}>
                  Open trace
                </a>
              </h4>
              <div class={`card plain words ${run.errors ? "failed" : ""}`}>{run.errors ? String(row.status_message ?? "failed") : name === base || !each.experiments[base] ? text : <Words before={before} after={text} />}</div>
              <div class="case-scores">
                {Object.entries(run.scores).map(([score, value]) => (
                  <span class="chip" key={score}>
                    {score} <b>{scored(value)}</b>
                  </span>
                ))}
              </div>
            </section>
          );
        })}
      </div>
    </aside>
  );
}
