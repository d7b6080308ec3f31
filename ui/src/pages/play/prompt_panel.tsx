/** A column's prompt: messages with variables, model, parameters, tools, the form of the answer. Each key stroke is kept. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { setParams } from "../../app/location";
import { useLoad } from "../../parts/load";
import { Menu } from "../../parts/overlay";
import { listTools } from "./functions";
import { JsonField } from "./fields/json_field";
import type { LivePlay } from "./live";
import { EMPTY_PROMPT, listPrompts, modelsOf, OVERRIDES, ROLES, textOf, variablesOf, type Message, type Override, type PlayRow, type Provider, type Tool } from "./model";
import type { Way } from "./page";
import { TemplateField } from "./fields/template_field";

interface Props {
  play: LivePlay;
  id: string;
  way: Way;
  rows: PlayRow[];
  write: boolean;
  providers: Provider[];
  onSave: () => void;
  onPromote: () => void;
  onVersions: () => void;
}

export function PromptPanel(props: Props) {
  const { play, id, way, write } = props;
  const { whole, column } = way;
  const at = (...path: (string | number)[]) => ["columns", id, ...path];
  const set = (name: Override | "name", value: unknown) => play.set(at(name), value);
  const variables = useMemo(() => variablesOf(props.rows), [props.rows]);
  const label = column.prompt ? Object.entries(way.base?.labels ?? {}).filter(([, version]) => version === column.prompt!.version).map(([name]) => name) : [];
  return (
    <aside class="panel play-panel" aria-label={`The prompt of column ${way.name}`}>
      <header>
        <div class="row-flex">
          <h2>Column</h2>
          <input class="text short" aria-label="Name of the column" value={column.name ?? ""} placeholder={way.name} readOnly={!write} maxLength={200} onInput={(event) => set("name", event.currentTarget.value)} />
          <PromptMenu {...props} />
          <span class="gap" />
          <button class="btn plain small" onClick={() => setParams({ panel: null }, { replace: true })}>
            Close <kbd>Esc</kbd>
          </button>
        </div>
        {write && (
          <div class="row-flex play-actions">
            <button class="btn small" onClick={props.onSave} disabled={!!column.prompt && !way.edited}>
              {column.prompt ? "Save as a new version" : "Save as a prompt"} <kbd>v</kbd>
            </button>
            {column.prompt && (
              <button class="btn small" onClick={props.onVersions}>
                Versions <kbd>V</kbd>
              </button>
            )}
            <button class="btn small" onClick={props.onPromote}>
              Promote <kbd>P</kbd>
            </button>
            {way.edited && (
              <button class="btn small plain" onClick={() => play.edit(...OVERRIDES.map((name) => ({ path: at(name), value: null })))}>
                Undo the edits
              </button>
            )}
            {label.map((each) => (
              <span class="chip label-chip" key={each}>
                {each}
              </span>
            ))}
          </div>
        )}
      </header>
      <div class="panel-body play-form" tabIndex={0} role="group" aria-label="Fields of the prompt">
        <ModelFields {...props} set={set} />
        <Messages {...props} variables={variables} />
        <details open={whole.tools.length > 0}>
          <summary>Tools {whole.tools.length > 0 && <span class="muted">{whole.tools.length}</span>}</summary>
          <Tools play={play} tools={whole.tools} turns={whole.max_turns} write={write} onTools={(tools) => set("tools", tools)} onTurns={(turns) => set("max_turns", turns)} />
        </details>
        <details open={whole.response_schema !== null && whole.response_schema !== undefined}>
          <summary>Form of the answer {whole.response_schema ? <span class="muted">JSON schema</span> : null}</summary>
          <JsonField label="JSON schema of the answer" want="object" readOnly={!write} value={whole.response_schema} placeholder={'{"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}'} onValue={(value) => set("response_schema", value)} />
          <p class="muted small-text flat">The output is then the value. Empty for text.</p>
        </details>
        {variables.length > 0 && whole.template === "mustache" && (
          <details>
            <summary>
              Variables of these rows <span class="muted">{variables.length}</span>
            </summary>
            <dl class="kv">
              {variables.slice(0, 60).map((each) => (
                <>
                  <dt class="mono">{`{{${each.path}}}`}</dt>
                  <dd class="cut">{each.sample}</dd>
                </>
              ))}
            </dl>
          </details>
        )}
      </div>
    </aside>
  );
}

/** Which prompt a column is: all of its own, or a version of a stored one. */
function PromptMenu({ play, id, way, write }: Props) {
  const prompts = useLoad(`prompts ${play.project} ${way.base?.version ?? 0}`, (signal) => listPrompts(play.project, signal));
  if (!write) return way.column.prompt ? <span class="chip">{`${way.column.prompt.slug} v${way.column.prompt.version}`}</span> : null;
  const take = (prompt: { slug: string; version: number } | null) =>
    play.edit({ path: ["columns", id, "prompt"], value: prompt }, ...OVERRIDES.map((name) => ({ path: ["columns", id, name], value: prompt ? null : way.whole[name] })));
  return (
    <Menu
      name={`Which prompt: ${way.column.prompt ? `${way.column.prompt.slug} v${way.column.prompt.version}` : "not saved yet"}`}
      title="Prompts of this project"
      label={
        <>
          <span class="cut saved-name">{way.column.prompt ? `${way.column.prompt.slug} v${way.column.prompt.version}` : "not saved yet"}</span> <span aria-hidden="true">▾</span>
        </>
      }
      items={() => [
        ...(prompts.data ?? []).map((each) => ({ label: each.slug, hint: `v${each.version}${Object.keys(each.labels).length ? ` · ${Object.entries(each.labels).map(([name, version]) => `${name} v${version}`).join(", ")}` : ""}`, on: way.column.prompt?.slug === each.slug, run: () => take({ slug: each.slug, version: each.version }) })),
        ...(prompts.data?.length ? [null] : [{ label: <span class="muted">No prompts are saved yet</span> }]),
        ...(way.column.prompt ? [{ label: "Part from the prompt, keep its text", run: () => take(null) }] : []),
      ]}
    />
  );
}

const COMMON: [string, string, number, number | undefined][] = [
  ["temperature", "Temperature", 0.1, 2],
  ["max_tokens", "Tokens", 1, undefined],
];

function ModelFields({ play, id, way, write, providers, set }: Props & { set: (name: Override, value: unknown) => void }) {
  const { whole } = way;
  const [models, setModels] = useState<string[]>([]);
  const provider = providers.find((each) => each.name === whole.provider);
  useEffect(() => {
    setModels(provider?.models ?? []);
    if (!provider || !write) return;
    let gone = false;
    void modelsOf(play.project, provider.name).then((found) => gone || setModels(found), () => {});
    return () => {
      gone = true;
    };
  }, [provider?.name]);
  const parameters = whole.parameters ?? {};
  const others = Object.fromEntries(Object.entries(parameters).filter(([name]) => !COMMON.some(([each]) => each === name)));
  /** Sets one parameter; the first change copies those of the prompt. */
  const put = (changed: Record<string, unknown>) => set("parameters", Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== null && value !== undefined)));
  return (
    <>
      <div class="play-model">
        <label class="field">
          Provider
          <select class="text" disabled={!write} value={whole.provider} onChange={(event) => set("provider", event.currentTarget.value)}>
            <option value="">choose…</option>
            {whole.provider && !provider && <option value={whole.provider}>{whole.provider} (not set up here)</option>}
            {providers.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
                {each.has_key ? "" : " (its key is missing)"}
              </option>
            ))}
          </select>
        </label>
        <label class="field grow">
          Model
          <input class="text" list={`models-${id}`} value={whole.model} readOnly={!write} maxLength={200} autocomplete="off" placeholder={models[0] ?? "name of a model"} onInput={(event) => set("model", event.currentTarget.value)} />
          <datalist id={`models-${id}`}>
            {models.slice(0, 500).map((each) => (
              <option key={each} value={each} />
            ))}
          </datalist>
        </label>
        {COMMON.map(([name, text, step, most]) => (
          <label class="field" key={name}>
            {text}
            <input class="text short" type="number" step={step} min={0} max={most} readOnly={!write} value={parameters[name] === undefined || parameters[name] === null ? "" : String(parameters[name])} placeholder="auto" onInput={(event) => put({ ...parameters, [name]: event.currentTarget.value === "" ? null : Number(event.currentTarget.value) })} />
          </label>
        ))}
      </div>
      {provider && !provider.has_key && (
        <div class="note warn">
          The key of {provider.name} is missing: the server reads it from <code>{provider.key}</code>.
        </div>
      )}
      <details open={Object.keys(others).length > 0}>
        <summary>Other parameters {Object.keys(others).length > 0 && <span class="muted">{Object.keys(others).join(", ")}</span>}</summary>
        <JsonField label="Other parameters" want="object" readOnly={!write} value={Object.keys(others).length ? others : null} placeholder={'{"top_p": 0.9, "stop": ["###"]}'} onValue={(value) => put({ ...Object.fromEntries(COMMON.map(([name]) => [name, parameters[name]])), ...((value as Record<string, unknown> | null) ?? {}) })} />
      </details>
    </>
  );
}

function Messages({ play, id, way, write, variables }: Props & { variables: { path: string; sample: string }[] }) {
  const { whole, column } = way;
  const messages = whole.messages;
  /** Sets one place of the messages; the first change of a prompt's own copies them all. */
  const put = (path: (string | number)[], value: unknown) => {
    if (column.messages) return play.set(["columns", id, "messages", ...path], value);
    const [index, ...rest] = path as [number, ...string[]];
    const next = [...messages];
    next[index] = rest.length ? { ...(next[index] ?? { role: "user" }), [rest[0]!]: value } : (value as Message);
    play.set(["columns", id, "messages"], next);
  };
  const all = (next: Message[]) => play.set(["columns", id, "messages"], next);
  return (
    <section class="col play-messages" aria-label="Messages">
      {messages.map((message, i) => (
        <div class="play-message" key={i}>
          <div class="row-flex">
            <select class="role" aria-label={`Role of message ${i + 1}`} disabled={!write} value={message.role} onChange={(event) => put([i, "role"], event.currentTarget.value)}>
              {[...new Set([...ROLES, message.role])].map((role) => (
                <option key={role} value={role}>
                  {role === "messages" ? "messages at a path" : role}
                </option>
              ))}
            </select>
            <span class="gap" />
            {write && (
              <>
                <button class="btn plain small" aria-label={`Move message ${i + 1} up`} disabled={!i} onClick={() => all(messages.map((each, j) => (j === i - 1 ? messages[i]! : j === i ? messages[i - 1]! : each)))}>
                  ↑
                </button>
                <button class="btn plain small" aria-label={`Remove message ${i + 1}`} onClick={() => all(messages.filter((_, j) => j !== i))}>
                  ✕
                </button>
              </>
            )}
          </div>
          <Content message={message} number={i + 1} variables={variables} plain={whole.template === "none" || message.role === "messages"} write={write} onContent={(value) => put([i, "content"], value)} />
          {Object.entries(message)
            .filter(([name, value]) => name !== "role" && name !== "content" && value !== null)
            .map(([name, value]) => (
              <div key={name} class="play-extra">
                <span class="muted small-text">{name}</span>
                <JsonField label={`${name} of message ${i + 1}`} want="any" readOnly={!write} value={value} onValue={(next) => put([i, name], next)} />
              </div>
            ))}
        </div>
      ))}
      {write && (
        <div class="row-flex wrapping">
          <button class="btn small" onClick={() => put([messages.length], { role: messages.length ? (messages[messages.length - 1]!.role === "user" ? "assistant" : "user") : "system", content: "" })}>
            Add a message
          </button>
          <span class="gap" />
          <label class="row-flex small-text muted">
            <input type="checkbox" checked={whole.template !== "none"} onChange={(event) => play.set(["columns", id, "template"], event.currentTarget.checked ? "mustache" : "none")} />
            <span>
              texts have variables: <code>{"{{input}}"}</code>
            </span>
          </label>
        </div>
      )}
    </section>
  );
}

/** A message's content: a text, or a list of parts as JSON. */
function Content({ message, number, variables, plain, write, onContent }: { message: Message; number: number; variables: { path: string; sample: string }[]; plain: boolean; write: boolean; onContent: (value: unknown) => void }) {
  const label = `Text of message ${number}, ${message.role}`;
  if (typeof message.content === "string" || message.content === null || message.content === undefined)
    return <TemplateField label={label} plain={plain} readOnly={!write} value={textOf(message.content)} variables={variables} placeholder={message.role === "messages" ? "path of a list of messages: input.history" : message.role === "system" ? "What the model is told" : "{{input}}"} onInput={onContent} />;
  return <JsonField label={label} want="any" readOnly={!write} value={message.content} onValue={onContent} />;
}

function Tools({ play, tools, turns, write, onTools, onTurns }: { play: LivePlay; tools: Tool[]; turns: number; write: boolean; onTools: (tools: Tool[]) => void; onTurns: (turns: number) => void }) {
  const stored = useLoad(`tools ${play.project}`, (signal) => listTools(play.project, signal));
  const named = tools.filter((each): each is string => typeof each === "string");
  const own = tools.filter((each) => typeof each !== "string");
  return (
    <div class="col form">
      {(stored.data ?? []).map((each) => (
        <label class="row-flex" key={each.name}>
          <input type="checkbox" disabled={!write} checked={named.includes(each.name)} onChange={(event) => onTools([...named.filter((name) => name !== each.name), ...(event.currentTarget.checked ? [each.name] : []), ...own])} />
          <span class="mono">{each.name}</span>
          <span class="muted cut">{String((each.body as { description?: string }).description ?? "")}</span>
        </label>
      ))}
      {named.filter((name) => !stored.data?.some((each) => each.name === name)).map((name) => (
        <span key={name} class="row-flex">
          <code>{name}</code> <span class="warn">is not stored here</span>
        </span>
      ))}
      <label class="field">
        Definitions: a call of one is the answer
        <JsonField label="Definitions of tools" want="list" readOnly={!write} value={own.length ? own : null} placeholder={'[{"name": "lookup", "description": "…", "parameters": {"type": "object"}}]'} onValue={(value) => onTools([...named, ...((value as Tool[] | null) ?? [])])} />
      </label>
      {named.length > 0 && (
        <label class="field">
          Most turns
          <input class="text short" type="number" min={1} max={32} readOnly={!write} value={turns || EMPTY_PROMPT.max_turns} onInput={(event) => Number(event.currentTarget.value) >= 1 && onTurns(Number(event.currentTarget.value))} />
        </label>
      )}
    </div>
  );
}
