/** One span beside the tree: chat, fields, events, scores and comments, raw JSON. */
import { useState } from "preact/hooks";
import { Exact } from "../../api/exact";
import { json } from "../../api/http";
import { keysOf, literal, pathOf, type Row } from "../../api/query";
import { pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { cost, count, duration, exactDuration, number, oneLine, utc, when } from "../../format";
import { score, scoreName, keepScoreName } from "../../parts/actions";
import { Conversation } from "../../parts/conversation";
import type { Loaded } from "../../parts/load";
import { messagesOf, type Message } from "../../parts/messages";
import { copy, toast } from "../../parts/overlay";
import { Payload, VirtualText } from "../../parts/payload";
import { TypeDot } from "../../parts/span_look";
import { Failure, Waiting } from "../../parts/states";

const TABS = ["chat", "fields", "events", "scores", "raw"] as const;
type Tab = (typeof TABS)[number];

export function SpanPanel({ project, span }: { project: string; span: Loaded<Row> }) {
  const row = span.data;
  if (span.error) return <aside class="panel"><Failure error={span.error} retry={span.reload} /></aside>;
  if (!row) return <aside class="panel"><Waiting /></aside>;
  const tab = (TABS as readonly string[]).includes(params.value.get("tab") ?? "") ? (params.value.get("tab") as Tab) : "chat";
  const events = (row.events as Row[] | null) ?? [];
  const fields = fieldsOf(row);
  const scores = Object.keys((row.scores as Row | null) ?? {}).length + ((row.metadata as { comments?: unknown[] } | null)?.comments?.length ?? 0);
  const labels: Record<Tab, string> = { chat: "Chat", fields: `Fields ${fields.length}`, events: events.length ? `Events ${events.length}` : "Events", scores: scores ? `Scores ${scores}` : "Scores", raw: "Raw" };
  return (
    <aside class="panel" aria-label={`Span ${String(row.name)}`} aria-busy={span.loading}>
      <header>
        <h2 class="row-flex-tight">
          <TypeDot type={row.type as string | null} />
          <span class="cut" title={String(row.name)}>{String(row.name)}</span>
        </h2>
        <Facts row={row} />
        {row.type === "llm" && mayWrite.value && (
          <div class="panel-actions">
            <button class="btn small" onClick={() => void import("../../parts/open_in_play").then((module) => module.openInPlay(project, row))}>
              Open in Play <kbd>o</kbd>
            </button>
          </div>
        )}
        {row.status_code === "ERROR" && <div class="note err">{oneLine(row.status_message, 1000) || "failed"}</div>}
      </header>
      <div class="tabs" role="tablist">
        {TABS.map((each) => (
          <button key={each} role="tab" aria-selected={tab === each} onClick={() => setParams({ tab: each === "chat" ? null : each }, { replace: true })}>
            {labels[each]}
          </button>
        ))}
      </div>
      <div class="panel-body" key={`${String(row.span_id)} ${tab}`} tabIndex={0} role="tabpanel" aria-label={labels[tab]}>
        {tab === "chat" && <Chat row={row} />}
        {tab === "fields" && <Fields project={project} fields={fields} />}
        {tab === "events" && <Events row={row} events={events} project={project} />}
        {tab === "scores" && <Scores row={row} project={project} reload={span.reload} />}
        {tab === "raw" && <Raw row={row} />}
      </div>
    </aside>
  );
}

function Facts({ row }: { row: Row }) {
  const metrics = (row.metrics as Record<string, number> | null) ?? {};
  const metadata = (row.metadata as Row | null) ?? {};
  const facts: { text: string; title?: string }[] = [];
  if (row.duration_ns !== null) facts.push({ text: duration(Number(row.duration_ns)), title: exactDuration(Number(row.duration_ns)) });
  if (metrics.prompt_tokens !== undefined) facts.push({ text: `${count(metrics.prompt_tokens)} in, ${count(metrics.completion_tokens ?? 0)} out${metrics.prompt_cached_tokens ? ` (${count(metrics.prompt_cached_tokens)} cached)` : ""}` });
  else if (metrics.tokens !== undefined) facts.push({ text: `${count(metrics.tokens)} tokens` });
  if (metrics.estimated_cost !== undefined) facts.push({ text: cost(metrics.estimated_cost), title: `$${metrics.estimated_cost}` });
  if (metrics.time_to_first_token !== undefined) facts.push({ text: `first token ${duration(metrics.time_to_first_token * 1e9)}` });
  if (metadata.model) facts.push({ text: String(metadata.model) });
  if (metadata.provider) facts.push({ text: String(metadata.provider) });
  if (row.service) facts.push({ text: String(row.service) });
  facts.push({ text: when(Number(row.start_ns) / 1e6), title: utc(Number(row.start_ns) / 1e6) });
  return (
    <div class="muted facts">
      {facts.map((fact, i) => (
        <span key={i} title={fact.title}>
          {fact.text}
          {i < facts.length - 1 && " · "}
        </span>
      ))}
    </div>
  );
}

export function Chat({ row }: { row: Row }) {
  const input = messagesOf(row.input, row.type === "llm" || row.type === "agent" ? "user" : "user");
  const said = messagesOf(row.output, "assistant");
  // Structured output is what the assistant said, as a value.
  const output: Message[] | null = said ?? (row.type === "llm" ? [{ role: "assistant", name: null, parts: [{ kind: "json", value: row.output }] }] : null);
  const chatty = row.type === "llm" || row.type === "agent" || row.type === "chain" || row.type === "task" || row.type === "eval" || !row.type;
  const talk = chatty && input && output;
  if (row.input == null && row.output == null && row.expected == null && row.error == null) return <p class="muted">This span has no input and no output. Its attributes are under Fields.</p>;
  return (
    <>
      {talk ? (
        <Conversation messages={[...(input ?? []), ...(output ?? [])]} />
      ) : (
        <>
          <Block title="input" value={row.input} role="user" />
          <Block title="output" value={row.output} role="assistant" />
        </>
      )}
      {row.expected != null && <Block title="expected" value={row.expected} role="assistant" />}
      {row.error != null && (
        <section class="msg">
          <h4 class="err">error</h4>
          <div class="card failed">
            <Payload value={row.error} />
          </div>
        </section>
      )}
    </>
  );
}

function Block({ title, value, role }: { title: string; value: unknown; role: "user" | "assistant" }) {
  if (value === null || value === undefined) return null;
  const messages = messagesOf(value, role);
  const conversation = messages && typeof value === "object" && !(messages.length === 1 && messages[0]!.parts[0]?.kind === "json");
  return (
    <section class="msg">
      <h4>{title}</h4>
      {conversation ? (
        <Conversation messages={messages} />
      ) : (
        <div class="card plain">
          <Payload value={value} />
        </div>
      )}
    </section>
  );
}

interface Field {
  path: string;
  value: unknown;
}

const SKIPPED = new Set(["input", "output", "expected", "events", "links", "moved_attributes", "project"]);

/** Returns every leaf of a span with its path, those of the application first. */
export function fieldsOf(row: Row): Field[] {
  const found: Field[] = [];
  const walk = (value: unknown, keys: string[]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Exact)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...keys, key]);
      return;
    }
    if (value !== null && value !== undefined) found.push({ path: pathOf(keys), value });
  };
  const roots = ["metadata", "attributes", "scores", "metrics", "tags", "error", "resource", "scope"];
  for (const root of [...roots, ...Object.keys(row).filter((key) => !roots.includes(key))]) if (!SKIPPED.has(root)) walk(row[root], [root]);
  return found.filter((each) => !(each.path.startsWith("dropped_") && each.value === 0) && !(/_dropped_|^flags$/.test(each.path) && each.value === 0));
}

function Fields({ project, fields }: { project: string; fields: Field[] }) {
  const [wanted, setWanted] = useState("");
  const shown = fields.filter((field) => `${field.path} ${oneLine(field.value)}`.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      <input class="text wide" aria-label="Find a field" placeholder="Find a field or a value…" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      <dl class="kv">
        {shown.map((field) => (
          <>
            <dt title={keysOf(field.path).join(" › ")}>{field.path}</dt>
            <dd class="mono">
              {typeof field.value === "object" && !(field.value instanceof Exact) ? (
                <Payload value={field.value} />
              ) : (
                <a class="field-link" href={pageUrl(project, "traces", { view: "spans", where: `${field.path} = ${literal(field.value)}` })} title={`Filter spans: ${field.path} = ${literal(field.value).slice(0, 200)}`}>
                  {typeof field.value === "string" ? oneLine(field.value, 3000) : String(field.value)}
                </a>
              )}
              <span class="muted type"> {typeof field.value === "string" ? "" : field.value instanceof Exact ? "number" : typeof field.value === "object" ? "list" : typeof field.value}</span>
            </dd>
          </>
        ))}
      </dl>
    </>
  );
}

function Events({ row, events, project }: { row: Row; events: Row[]; project: string }) {
  const links = (row.links as Row[] | null) ?? [];
  if (!events.length && !links.length) return <p class="muted">This span recorded no events and no links.</p>;
  return (
    <>
      {events.map((event, i) => {
        const attributes = { ...((event.attributes as Row | null) ?? {}) } as Row;
        const nested = attributes.exception as Row | undefined;
        const stack = attributes["exception.stacktrace"] ?? nested?.stacktrace;
        const at = Number(event.time_unix_nano ?? event.time_ns ?? event.timeUnixNano ?? NaN);
        delete attributes["exception.stacktrace"];
        return (
          <section class="msg" key={i}>
            <h4 class={event.name === "exception" ? "err" : ""}>
              {String(event.name ?? "event")} <span class="name">{Number.isFinite(at) ? `+${duration(Math.max(0, at - Number(row.start_ns)))}` : ""}</span>
            </h4>
            {Object.keys(attributes).length > 0 && (
              <div class="card plain">
                <Payload value={attributes} />
              </div>
            )}
            {typeof stack === "string" && <pre class="code">{stack}</pre>}
          </section>
        );
      })}
      {links.map((link, i) => (
        <section class="msg" key={`link${i}`}>
          <h4>link</h4>
          <a class="link mono" href={pageUrl(project, `trace/${String(link.trace_id ?? link.traceId)}`, { span: String(link.span_id ?? link.spanId ?? "") })}>
            {String(link.trace_id ?? link.traceId)}
          </a>
        </section>
      ))}
    </>
  );
}

function Scores({ row, project, reload }: { row: Row; project: string; reload: () => void }) {
  const scores = Object.entries((row.scores as Record<string, unknown> | null) ?? {});
  const comments = ((row.metadata as { comments?: Row[] } | null)?.comments ?? []) as Row[];
  const ref = { trace_id: String(row.trace_id), span_id: String(row.span_id) };
  const write = mayWrite.value;
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    const comment = String(data.get("comment") ?? "").trim();
    const name = String(data.get("name") ?? "").trim();
    const value = String(data.get("value") ?? "").trim();
    try {
      if (name && value !== "") {
        keepScoreName(name);
        await score(project, [ref], name, Number(value));
      }
      if (comment) {
        await json(`/api/patch?project=${encodeURIComponent(project)}`, { body: { patches: [{ ...ref, comment }] } });
        toast("Comment kept");
      }
      form.reset();
      reload();
    } catch (error) {
      toast((error as Error).message);
    }
  };
  return (
    <>
      {scores.length > 0 && (
        <dl class="kv">
          {scores.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd class="score-line">
                <span class="meter" aria-hidden="true">
                  <i style={{ width: `${Math.max(0, Math.min(1, Number(value))) * 100}%` }} />
                </span>
                <b>{typeof value === "number" ? number(value) : oneLine(value)}</b>
                {write && (
                  <button class="btn plain small" aria-label={`Remove the score ${name}`} onClick={() => void score(project, [ref], name, null).then(reload)}>
                    ✕
                  </button>
                )}
              </dd>
            </>
          ))}
        </dl>
      )}
      {comments.map((comment, i) => (
        <section class="msg" key={i}>
          <h4>
            {oneLine(comment.author) || "comment"} <span class="name">{comment.time || comment.created ? oneLine(comment.time ?? comment.created) : ""}</span>
          </h4>
          <p class="flat">{oneLine(comment.text ?? comment.comment ?? comment, 5000)}</p>
        </section>
      ))}
      {!scores.length && !comments.length && <p class="muted">Nobody has scored this span yet.{write && " Press 1 to 9, or write below."}</p>}
      {write && (
        <form class="col form" onSubmit={(event) => void add(event as unknown as SubmitEvent)}>
          <div class="row-flex">
            <label class="field grow">
              Score
              <input class="text" name="name" defaultValue={scoreName()} />
            </label>
            <label class="field">
              Value
              <input class="text short" name="value" type="number" step="any" placeholder="0 – 1" />
            </label>
          </div>
          <label class="field">
            Comment
            <textarea class="text" name="comment" rows={2} />
          </label>
          <div>
            <button class="btn go">Save</button>
          </div>
        </form>
      )}
    </>
  );
}

function Raw({ row }: { row: Row }) {
  const text = JSON.stringify(row, null, 2);
  if (text.length > 100_000) return <VirtualText text={text} tall />;
  return (
    <>
      <button class="link" onClick={() => void copy(text, "JSON copied")}>
        Copy
      </button>
      <pre class="code">{text}</pre>
    </>
  );
}
