/** The plays of a project, and what to do where no provider of models is there. */
import { useState } from "preact/hooks";
import { Problem } from "../../api/http";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { plural, utc, when } from "../../format";
import { useLoad } from "../../parts/load";
import { copy } from "../../parts/overlay";
import { Failure, FailureNote, State, Waiting } from "../../parts/states";
import { createPlay, listPlays, listProviders, modelsOf, type PlayBody, type Provider } from "./model";

export function PlayList({ project }: { project: string }) {
  const plays = useLoad(`plays ${project}`, (signal) => listPlays(project, signal));
  const providers = useLoad(`providers ${project}`, (signal) => listProviders(project, signal));
  const [error, setError] = useState<unknown>(null);
  const rows = plays.data ?? [];
  const write = mayWrite.value;
  const at = rows.findIndex((each) => each.document_id === params.value.get("row"));
  const move = (by: number) => rows.length && setParams({ row: rows[Math.max(0, Math.min(rows.length - 1, at + by))]!.document_id }, { replace: true });
  const open = (id: string) => navigate(pageUrl(project, `play/${id}`));
  const make = () =>
    void (async () => {
      try {
        open((await createPlay(project, "Play", await firstBody(project, providers.data ?? []))).document_id);
      } catch (failure) {
        setError(failure);
      }
    })();
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(at < 0 ? 1 : -1) },
    { keys: "Enter", label: "Open", run: () => rows[at] && open(rows[at]!.document_id) },
    ...(write ? [{ keys: "a", label: "New play", run: make }] : []),
  ]);
  if (plays.error) return <Failure error={plays.error} retry={plays.reload} />;
  if (!plays.data || (!providers.data && !providers.error)) return <Waiting />;
  const none = providers.data?.length === 0;
  const button = write && (
    <button class="btn go" onClick={make}>
      New play <kbd>a</kbd>
    </button>
  );
  return (
    <>
      <header class="head">
        <h1>Play</h1>
        <span class="gap" />
        {rows.length > 0 && button}
      </header>
      {(error || providers.error) && <FailureNote error={error ?? providers.error} />}
      {rows.length > 0 ? (
        <div class="body">
          {none && (
            <div class="pad">
              <NoProvider reload={providers.reload} />
            </div>
          )}
          <table class="grid">
            <thead>
              <tr>
                <th>name</th>
                <th>changed</th>
                <th>by</th>
                <th class="num">version</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((each, i) => (
                <tr key={each.document_id} class={i === at ? "on" : ""}>
                  <td>
                    <a class="strong" href={pageUrl(project, `play/${each.document_id}`)}>
                      {each.name}
                    </a>
                  </td>
                  <td class="muted" title={utc(each.updated_ns / 1e6)}>
                    {when(each.updated_ns / 1e6)}
                  </td>
                  <td class="muted">{each.author ?? "–"}</td>
                  <td class="num">{each.version}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : none ? (
        <div class="body pad">
          <NoProvider reload={providers.reload} />
          {button && <p>{button}</p>}
        </div>
      ) : (
        <State title="Try a prompt on real rows">
          <p>Prompts, models and parameters side by side, on the rows of a dataset, of a query, or on one call of a trace: open a model call and press o. Each run is an experiment from the start.</p>
          {button ?? <p class="muted">Making one needs a key that may write.</p>}
        </State>
      )}
      <footer class="foot">
        <span>{plural(rows.length, "play")}</span>
        {providers.data && providers.data.length > 0 && <span>{providers.data.map((each) => each.name).join(", ")}</span>}
      </footer>
    </>
  );
}

/** Returns a play to begin with: one row, one column, the first model that there is. */
async function firstBody(project: string, providers: Provider[]): Promise<PlayBody> {
  const provider = providers.find((each) => each.has_key) ?? providers[0];
  const model = provider ? (provider.models[0] ?? (await modelsOf(project, provider.name).catch(() => []))[0] ?? "") : "";
  return {
    rows: { source: "typed", items: { r1: { input: "What can you do for me?" } }, order: ["r1"] },
    columns: {
      c1: {
        name: "A",
        messages: [
          { role: "system", content: "You answer in one sentence." },
          { role: "user", content: "{{input}}" },
        ],
        provider: provider?.name ?? "",
        model,
      },
    },
    order: ["c1"],
    scorers: [],
  };
}

const LINES = `[providers.openai]
kind = "openai"
base_url = "https://api.openai.com/v1"
key = "OPENAI_API_KEY"

[providers.anthropic]
kind = "anthropic"
base_url = "https://api.anthropic.com"
key = "ANTHROPIC_API_KEY"

[providers.local]
kind = "openai"
base_url = "http://127.0.0.1:11434/v1"`;

/** Says how a provider is added: the lines to copy. */
export function NoProvider({ reload }: { reload: () => void }) {
  return (
    <section class="no-provider">
      <h2>No provider of models is set up yet</h2>
      <p>
        A provider is an endpoint with models: OpenAI's, Anthropic's, or any that speaks like one of them. Write those that you use into <code>tracestore.toml</code> in the folder where the server is started, and start the server again. <code>key</code> names an environment variable of the server, or a file; the key itself stands nowhere else and never leaves the server.
      </p>
      <pre class="code">{LINES}</pre>
      <div class="row-flex">
        <button class="btn" onClick={() => void copy(LINES, "Lines copied")}>
          Copy the lines
        </button>
        <button class="btn" onClick={reload}>
          Look again
        </button>
      </div>
      <p>Without an account anywhere, a stub of the models answers, always the same:</p>
      <pre class="code">{STUB}</pre>
      <div class="row-flex">
        <button class="btn" onClick={() => void copy(STUB, "Lines copied")}>
          Copy
        </button>
      </div>
    </section>
  );
}

const STUB = `python -m tracestore.demo.stub_model --port 8099 &
export TRACESTORE_PROVIDERS='{"stub": {"kind": "openai", "base_url": "http://127.0.0.1:8099/v1"}}'
tracestore serve`;

export const isMissing = (error: unknown): boolean => error instanceof Problem && error.status === 404;
