/** All model calls of a trace in order, each with what was new to it: the trace read as a conversation. */
import { objects, query, quoted, type Row } from "../../api/query";
import { withParams } from "../../app/location";
import { cost, count, duration, plural } from "../../format";
import { Conversation } from "../../parts/conversation";
import { useLoad } from "../../parts/load";
import { messagesOf, type Message } from "../../parts/messages";
import { TypeDot } from "../../parts/span_look";
import { Failure, State, Waiting } from "../../parts/states";

const MOST_CALLS = 200; // of one page; the statement behind it has no such bound

export function Calls({ project, id, current }: { project: string; id: string; current: string }) {
  const calls = useLoad(`calls ${project} ${id}`, async (signal) => objects(await query(`SELECT span_id, name, type, duration_ns, status_code, status_message, metadata.model AS model, metrics, input, output FROM spans WHERE trace_id = ${quoted(id)} AND type = 'llm' ORDER BY start_ns LIMIT ${MOST_CALLS}`, { project, signal })));
  if (calls.error) return <Failure error={calls.error} retry={calls.reload} />;
  if (!calls.data) return <Waiting />;
  if (!calls.data.length)
    return (
      <State title="No model was called">
        <p>This trace has no span of type llm. Its steps are in the tree.</p>
      </State>
    );
  let seen: string[] = [];
  return (
    <div class="body calls">
      {calls.data.map((call) => {
        const input = messagesOf(call.input, "user") ?? [];
        const texts = input.map((message) => JSON.stringify(message));
        // What the call before was told or said is not shown again.
        let fresh = 0;
        while (fresh < texts.length && seen.includes(texts[fresh]!)) fresh++;
        const output = messagesOf(call.output, "assistant") ?? [];
        const shown = [...input.slice(fresh), ...output];
        seen = [...texts, ...output.map((message) => JSON.stringify(message))];
        return <Call key={String(call.span_id)} call={call} messages={shown} known={fresh} on={call.span_id === current} />;
      })}
    </div>
  );
}

function Call({ call, messages, known, on }: { call: Row; messages: Message[]; known: number; on: boolean }) {
  const metrics = (call.metrics as Record<string, number> | null) ?? {};
  return (
    <article class={`call ${on ? "on" : ""}`}>
      <header>
        <a class="row-flex-tight" href={withParams({ span: String(call.span_id) })}>
          <TypeDot type="llm" />
          <b>{String(call.name)}</b>
        </a>
        <span class="muted">
          {duration(Number(call.duration_ns))}
          {metrics.tokens !== undefined && ` · ${count(metrics.tokens)} tokens`}
          {metrics.estimated_cost !== undefined && ` · ${cost(metrics.estimated_cost)}`}
        </span>
        {call.status_code === "ERROR" && <span class="err">failed</span>}
        <span class="gap" />
        {known > 0 && <span class="muted">after {plural(known, "message")} shown above</span>}
      </header>
      {messages.length ? <Conversation messages={messages} /> : <p class="muted">nothing new was said</p>}
      {call.status_code === "ERROR" && <div class="note err">{String(call.status_message ?? "failed")}</div>}
    </article>
  );
}
