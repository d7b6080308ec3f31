/** PLAY: prompts, models and parameters side by side on real rows; every run is an experiment from the start. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { json } from "../../api/http";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { useCommands } from "../../app/palette";
import { mayWrite } from "../../app/session";
import { cost, count, plural, utc, when } from "../../format";
import { ofKey, score, scoreName } from "../../parts/actions";
import { useLoad } from "../../parts/load";
import { copy, toast } from "../../parts/overlay";
import { Failure, FailureNote, State, Waiting } from "../../parts/states";
import { AddCase } from "./dialogs/add_case";
import { CellPanel } from "./cell_panel";
import { useColumns, type Way } from "./columns";
import { Grid } from "./grid";
import { NoProvider, PlayList } from "./list";
import { LivePlay } from "./live";
import { columnsOf, listProviders, MOST_COLUMNS, of, type Column, type RowsAnswer } from "./model";
import { PromptPanel } from "./prompt_panel";
import { RowsDialog } from "./dialogs/rows_dialog";
import { SaveDialog, PromoteDialog, VersionsDialog } from "./dialogs/prompt_dialogs";
import { ScorersDialog } from "./dialogs/scorers_dialog";
import { PlayVersions } from "./dialogs/play_versions";
import { NameDialog } from "../../parts/saved";
import "../../parts/conversation.css";
import "./play.css";

export function PlayPage({ project, rest }: { project: string; rest: string[] }) {
  return rest[0] ? <PlayOf project={project} id={rest[0]} key={rest[0]} /> : <PlayList project={project} />;
}

function PlayOf({ project, id }: { project: string; id: string }) {
  const play = useMemo(() => new LivePlay(project, id), [id]);
  useEffect(() => play.open(), [play]);
  if (play.gone.value)
    return (
      <State title="This play was deleted">
        <a class="btn" href={pageUrl(project, "play")}>
          All plays
        </a>
      </State>
    );
  if (!play.document.value) return play.error.value ? <Failure error={play.error.value} retry={() => window.location.reload()} /> : <Waiting />;
  return <Opened play={play} />;
}

type DialogName = "rows" | "scorers" | "save" | "versions" | "promote" | "case" | "keep" | "history" | null;

function Opened({ play }: { play: LivePlay }) {
  const { project } = play;
  const document = play.document.value!;
  const body = document.body;
  const columns = columnsOf(body);
  const ids = columns.map(([id]) => id);
  const rows = play.rows.value?.rows ?? [];
  const run = play.run.value;
  const write = mayWrite.value;
  const providers = useLoad(`providers ${project}`, (signal) => listProviders(project, signal));
  const ways = useColumns(project, columns);
  const [dialog, setDialog] = useState<DialogName>(null);
  const [error, setError] = useState<unknown>(null);
  const given = params.value;
  const column = ids.includes(given.get("col") ?? "") ? given.get("col")! : (ids[0] ?? "");
  const rowId = rows.some((each) => each.id === given.get("row")) ? given.get("row")! : (rows[0]?.id ?? "");
  const panel = given.get("panel") === "prompt" || given.get("panel") === "cell" ? given.get("panel") : null;
  const way = ways.get(column);
  const at = rows.findIndex((each) => each.id === rowId);
  const row = rows[at];
  const cell = row && column ? play.cell(row.id, column).value : null;
  const running = run?.state === "running";
  const put = (changes: Record<string, string | null>) => setParams(changes, { replace: true });
  const act = (work: () => Promise<unknown>) => () => {
    setError(null);
    void work().catch(setError);
  };
  const changed = act(() => play.start("changed"));
  const add = () => write && addColumn(play, column, (id) => put({ col: id, panel: "prompt" }));
  const remove = () => write && removeColumn(play, column);
  const experiments = columns.map(([, each]) => each.experiment).filter((each): each is string => !!each);
  const compare = experiments.length > 1 ? pageUrl(project, "compare", { e: experiments.join("|") }) : null;
  const openPrompt = () => {
    put({ panel: "prompt", col: column });
    requestAnimationFrame(() => window.document.querySelector<HTMLTextAreaElement>(".play-panel .template textarea")?.focus());
  };
  useKeys([
    { keys: "j", label: "Next row", run: () => rows[at + 1] && put({ row: rows[at + 1]!.id }) },
    { keys: "k", label: "Row before", run: () => rows[at - 1] && put({ row: rows[at - 1]!.id }) },
    { keys: "l", label: "Next column", run: () => ids[ids.indexOf(column) + 1] && put({ col: ids[ids.indexOf(column) + 1]! }) },
    { keys: "h", label: "Column before", run: () => ids[ids.indexOf(column) - 1] && put({ col: ids[ids.indexOf(column) - 1]! }) },
    ...(["ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft"] as const).map((key, i) => ({
      keys: key,
      label: "Move",
      hidden: true,
      run: () => {
        const next = i < 2 ? rows[at + (i ? -1 : 1)]?.id : ids[ids.indexOf(column) + (i === 2 ? 1 : -1)];
        if (next) put(i < 2 ? { row: next } : { col: next });
      },
    })),
    { keys: "Enter", label: "Open the cell", run: () => row && put({ panel: "cell", row: row.id, col: column }) },
    { keys: "p", label: "The prompt of the column", run: openPrompt },
    { keys: "Escape", label: "Close, or back to all plays", run: () => (panel ? put({ panel: null }) : navigate(pageUrl(project, "play"))) },
    { keys: "u", label: "Copy the link", run: () => void copy(window.location.href, "Link copied") },
    ...(compare ? [{ keys: "m", label: "Compare the runs", run: () => navigate(compare) }] : []),
    ...(write
      ? [
          { keys: "Ctrl+Enter", label: "Run what changed", run: changed },
          { keys: "A", label: "Run all", run: act(() => play.start("all")) },
          { keys: "C", label: "Run the column", run: act(() => play.start("all", [column])) },
          { keys: "R", label: "Run the row", run: act(() => play.start("all", null, [rowId])) },
          { keys: "s", label: "Stop", run: act(() => play.stop()) },
          { keys: "n", label: "New column, as this one", run: add },
          { keys: "Delete", label: "Remove the column", run: remove },
          { keys: "o", label: "Rows: where they come from", run: () => setDialog("rows") },
          { keys: "t", label: "Scorers", run: () => setDialog("scorers") },
          { keys: "v", label: "Save the prompt as a version", run: () => setDialog("save") },
          { keys: "V", label: "Versions of the prompt", run: () => way?.column.prompt && setDialog("versions") },
          { keys: "P", label: "Promote the prompt", run: () => setDialog("promote") },
          { keys: "K", label: "Keep the column's run under a name", run: () => way?.column.experiment && setDialog("keep") },
          { keys: "d", label: "Add the row as a case of a dataset", run: () => row && setDialog("case") },
          ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => ({
            keys: String(digit),
            label: digit === 1 ? "Score the cell: 0" : digit === 9 ? "Score the cell: 1" : `Score ${digit}`,
            hidden: digit !== 1 && digit !== 9,
            run: () => cell && void scored(play, cell, scoreName(), ofKey(digit)).catch(setError),
          })),
        ]
      : []),
  ]);
  useCommands([
    { label: "Run all", hint: "Play", run: act(() => play.start("all")) },
    { label: "Run what changed", hint: "Play", run: changed },
    { label: "Versions of this play", hint: "Play", run: () => setDialog("history") },
    { label: "Choose rows", hint: "Play", run: () => setDialog("rows") },
    { label: "Choose scorers", hint: "Play", run: () => setDialog("scorers") },
    { label: "Delete this play", hint: "Play", run: () => void json(play.at("") + `&version=${play.document.peek()!.version}`, { method: "DELETE" }).then(() => navigate(pageUrl(project, "play")), setError) },
  ]);
  const actions = { setDialog: (name: DialogName, col: string) => (put({ col }), setDialog(name)), add, remove: (id: string) => removeColumn(play, id), run: (id: string) => act(() => play.start("all", [id]))(), stop: (id: string) => act(() => play.stop([id]))(), open: (col: string) => put({ col, panel: "prompt" }) };
  return (
    <>
      <header class="head play-title">
        <input class="play-name" aria-label="Name of the play" value={document.name} readOnly={!write} maxLength={200} onInput={(event) => play.setName(event.currentTarget.value)} />
        <button class="btn" onClick={() => setDialog("rows")} disabled={!write}>
          {sourceText(play.rows.value, body.rows?.source)} <kbd>o</kbd>
        </button>
        <button class="btn" onClick={() => setDialog("scorers")} disabled={!write}>
          {body.scorers?.length ? plural(body.scorers.length, "scorer") : "Scorers"} <kbd>t</kbd>
        </button>
        <span class="gap" />
        {compare && (
          <a class="btn" href={compare}>
            Compare <kbd>m</kbd>
          </a>
        )}
        {write && columns.length < MOST_COLUMNS && (
          <button class="btn" onClick={add}>
            Column <kbd>n</kbd>
          </button>
        )}
        {write && running && (
          <button class="btn danger" onClick={act(() => play.stop())}>
            Stop <kbd>s</kbd>
          </button>
        )}
        {write && !running && (
          <button class="btn" onClick={act(() => play.start("all"))} disabled={!rows.length || !columns.length}>
            Run all <kbd>A</kbd>
          </button>
        )}
        {write && !running && (
          <button class="btn go" onClick={changed} disabled={!rows.length || !columns.length}>
            Run changed <kbd>Ctrl ⏎</kbd>
          </button>
        )}
      </header>
      <Progress play={play} />
      {(error || play.error.value) && (
        <div class="play-note">
          <FailureNote error={error ?? play.error.value} />
          <button class="btn plain small" aria-label="Close the message" onClick={() => (setError(null), (play.error.value = null))}>
            ✕
          </button>
        </div>
      )}
      {providers.data?.length === 0 && !columns.some(([, each]) => each.experiment) && (
        <div class="pad play-note">
          <NoProvider reload={providers.reload} />
        </div>
      )}
      <div class={`play-split ${panel ? "open" : ""}`}>
        <Grid play={play} rows={rows} columns={columns} ways={ways} row={rowId} column={column} actions={actions} write={write} choose={() => setDialog("rows")} narrow={!!panel} />
        {panel === "prompt" && way && <PromptPanel key={column} play={play} id={column} way={way} rows={rows} write={write} providers={providers.data ?? []} onSave={() => setDialog("save")} onPromote={() => setDialog("promote")} onVersions={() => setDialog("versions")} />}
        {panel === "cell" && row && <CellPanel key={`${row.id} ${column}`} play={play} row={row} id={column} write={write} onCase={() => setDialog("case")} onPrompt={openPrompt} onRun={act(() => play.start("all", null, [row.id]))} score={(name, value) => (cell ? scored(play, cell, name, value) : Promise.resolve())} />}
      </div>
      <Foot play={play} history={() => setDialog("history")} />
      {dialog === "history" && <PlayVersions play={play} write={write} onClose={() => setDialog(null)} />}
      {dialog === "rows" && <RowsDialog play={play} onClose={() => setDialog(null)} />}
      {dialog === "scorers" && <ScorersDialog play={play} row={row ?? null} output={cell?.output ?? null} onClose={() => setDialog(null)} />}
      {dialog === "save" && way && <SaveDialog play={play} id={column} way={way} onClose={() => setDialog(null)} />}
      {dialog === "versions" && way?.column.prompt && <VersionsDialog play={play} id={column} way={way} onClose={() => setDialog(null)} />}
      {dialog === "promote" && way && <PromoteDialog play={play} id={column} way={way} onClose={() => setDialog(null)} />}
      {dialog === "case" && row && <AddCase play={play} row={row} cell={cell} onClose={() => setDialog(null)} />}
      {dialog === "keep" && way?.column.experiment && (
        <NameDialog
          title={`Keep the run of ${way.name}`}
          label="Name of the experiment; runs that are not kept expire"
          value={way.column.experiment}
          onClose={() => setDialog(null)}
          onName={async (name) => {
            const kept = await json<{ experiment: string }>(play.at("/keep"), { body: { column, name } });
            setDialog(null);
            toast(`Kept as ${kept.experiment}`);
          }}
        />
      )}
    </>
  );
}

const SOURCES = { dataset: "dataset", query: "query", span: "one call", typed: "typed" } as const;

const sourceText = (found: RowsAnswer | null, source: keyof typeof SOURCES | undefined): string => {
  if (!source) return "Choose rows";
  const rows = found ? `${found.more ? "first " : ""}${plural(found.rows.length, "row")}` : "Rows";
  return found?.dataset ? `${rows} · ${found.dataset} v${found.dataset_version}` : `${rows} · ${SOURCES[source]}`;
};

/** Adds a column as another one is, without what it ran. */
function addColumn(play: LivePlay, like: string, then: (id: string) => void): void {
  const body = play.document.peek()!.body;
  const columns = columnsOf(body);
  if (columns.length >= MOST_COLUMNS) return toast(`A play has at most ${MOST_COLUMNS} columns`);
  const { experiment: _, key: __, ...own } = body.columns?.[like] ?? ({} as Column);
  const names = new Set(columns.map(([, each]) => each.name));
  const name = Array.from({ length: 26 }, (_each, i) => String.fromCharCode(65 + i)).find((each) => !names.has(each)) ?? "";
  const id = `c${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`;
  const place = columns.findIndex(([each]) => each === like) + 1;
  const order = columns.map(([each]) => each);
  order.splice(place, 0, id);
  play.edit({ path: ["columns", id], value: { ...own, name } }, { path: ["order"], value: order });
  then(id);
}

function removeColumn(play: LivePlay, id: string): void {
  const body = play.document.peek()!.body;
  const column = body.columns?.[id];
  if (!column) return;
  const order = columnsOf(body).map(([each]) => each);
  play.edit({ path: ["columns", id], delete: true }, { path: ["order"], value: order.filter((each) => each !== id) });
  toast(`Column ${column.name || id} removed`, { label: "Undo", run: () => play.edit({ path: ["columns", id], value: column }, { path: ["order"], value: order }) });
}

/** Scores the span of a cell, and shows it. */
async function scored(play: LivePlay, cell: { trace_id: string | null; span_id: string | null; row: string; column: string }, name: string, value: number | null): Promise<void> {
  if (!cell.trace_id || !cell.span_id) return;
  await score(play.project, [{ trace_id: cell.trace_id, span_id: cell.span_id }], name, value);
  const known = play.cell(cell.row, cell.column);
  const now = known.peek();
  if (!now) return;
  const { [name]: _, ...others } = now.scores;
  known.value = { ...now, scores: value === null ? others : { ...others, [name]: value } };
  play.turn.value++;
}

function Progress({ play }: { play: LivePlay }) {
  const run = play.run.value;
  if (!run || run.state !== "running" || !run.cells) return <div class="play-progress" />;
  return (
    <div class="play-progress" role="progressbar" aria-label="The run" aria-valuemin={0} aria-valuemax={run.cells} aria-valuenow={run.done + run.failed}>
      <i style={{ width: `${(run.done / run.cells) * 100}%` }} />
      <i class="failed" style={{ width: `${(run.failed / run.cells) * 100}%` }} />
    </div>
  );
}

function Foot({ play, history }: { play: LivePlay; history: () => void }) {
  const run = play.run.value;
  const document = play.document.value!;
  return (
    <footer class="foot">
      {run ? (
        <span role="status">
          {run.state === "running" ? "running: " : run.state === "stopped" ? "stopped: " : ""}
          {count(run.done)} of {plural(run.cells, "cell")} done{run.failed > 0 && <span class="err">, {count(run.failed)} failed</span>}
        </span>
      ) : (
        <span role="status">no run since this server began</span>
      )}
      {run && <span title={`$${run.cost}`}>{cost(run.cost)}</span>}
      {run && <span>{run.seconds.toFixed(1)} s</span>}
      <span class="gap" />
      <span title={utc(document.updated_ns / 1e6)} data-saved={play.unsaved.value === 0 ? "" : undefined}>
        {play.unsaved.value ? "saving…" : `saved${document.author ? ` by ${document.author}` : ""}, ${when(document.updated_ns / 1e6)}`}
      </span>
      <button class="link" onClick={history}>
        version {document.version}
      </button>
    </footer>
  );
}

export type Actions = { setDialog: (name: DialogName, column: string) => void; add: () => void; remove: (id: string) => void; run: (id: string) => void; stop: (id: string) => void; open: (id: string) => void };
export type { Way };
export { of };
