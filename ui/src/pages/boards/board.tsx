/** One board: looked at by everybody, arranged by who may write; changes are a draft until they are saved. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { createDocument, deleteDocument, getDocument, isConflict, saveDocument, type SavedDocument } from "../../api/documents";
import { query } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { useCommands } from "../../app/palette";
import { mayWrite } from "../../app/session";
import { clock, plural, utc, when } from "../../format";
import { useLoad } from "../../parts/load";
import { copy, Dialog, Menu, toast, type MenuItem } from "../../parts/overlay";
import { ends, RangeMenu, readRange } from "../../parts/range";
import { ConflictDialog, NameDialog, VersionsDialog } from "../../parts/saved";
import { Failure, FailureNote, State, Waiting } from "../../parts/states";
import { Grid } from "./grid";
import { moved, settled } from "./layout";
import { asBoard, newId, withTile, type Board } from "./model";
import type { Values } from "./statement";
import { TileBody, TileMenu, type TileContext } from "./tile";
import { TileDialog } from "./tile_dialog";
import { VariablesDialog } from "./variables";

const REFRESHES: [string, string][] = [
  ["", "No refresh"],
  ["10", "Every 10 s"],
  ["60", "Every minute"],
  ["300", "Every 5 minutes"],
];
const MOST_VALUES = 500; // of a variable; others are typed in the address

export function BoardPage({ project, id }: { project: string; id: string }) {
  const found = useLoad(`board ${project} ${id}`, (signal) => getDocument<unknown>("board", project, id, signal));
  if (found.error && !found.data) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  return <Opened project={project} saved={found.data} reload={found.reload} key={`${id} ${found.data.version}`} />;
}

function Opened({ project, saved, reload }: { project: string; saved: SavedDocument<unknown>; reload: () => void }) {
  const kept = useMemo(() => asBoard(saved.body), [saved]);
  const [draft, setDraft] = useState<Board | null>(null);
  const [dialog, setDialog] = useState<"name" | "versions" | "variables" | "json" | "tile" | { edit: string } | null>(null);
  const [conflict, setConflict] = useState(false);
  const [tick, setTick] = useState(0);
  const board = draft ?? kept;
  const write = mayWrite.value;
  const given = params.value;
  const range = given.get("last") || given.get("from") || given.get("to") || !board.last ? readRange(given) : { last: board.last, from: null, to: null };
  const refresh = Number(given.get("refresh") ?? board.refresh_s ?? 0);
  useRefresh(refresh, () => setTick((n) => n + 1));
  const values: Values = Object.fromEntries(board.variables.map((each) => [each.name.toLowerCase(), given.get(`var.${each.name}`)]));
  const now = useMemo(Date.now, [tick, JSON.stringify(range)]);
  const [from, to] = ends(range, now);
  const context: TileContext = { project, window: { from, to }, now, values, tick };
  const change = (next: Board) => setDraft(next);
  const save = async (over: SavedDocument<unknown> = saved) => {
    try {
      const done = await saveDocument(over, draft ?? kept);
      setConflict(false);
      setDraft(null);
      toast(`${done.name} saved, version ${done.version}`);
      reload();
    } catch (error) {
      if (isConflict(error)) setConflict(true);
      else toast(error instanceof Error ? error.message : String(error));
    }
  };
  const remove = async () => {
    try {
      await deleteDocument(saved);
      toast(`${saved.name} deleted`, { label: "Undo", run: () => void createDocument("board", project, saved.name, saved.body).then((again) => navigate(pageUrl(project, `boards/${again.document_id}`))) });
      navigate(pageUrl(project, "boards"));
    } catch (error) {
      if (isConflict(error)) setConflict(true);
      else toast(error instanceof Error ? error.message : String(error));
    }
  };
  const full = board.tiles.find((tile) => tile.id === given.get("full"));
  useKeys([
    { keys: "r", label: "Refresh", run: () => setTick((n) => n + 1) },
    { keys: "Escape", label: full ? "Leave full screen" : "Back to Boards", run: () => (full ? setParams({ full: null }) : draft ? undefined : navigate(pageUrl(project, "boards"))) },
    ...(write ? [{ keys: "a", label: "Add a tile", run: () => setDialog("tile") }, { keys: "Ctrl+s", label: "Save", run: () => draft && void save() }] : []),
  ]);
  useCommands([
    { label: "Refresh the board", run: () => setTick((n) => n + 1) },
    ...(write ? [{ label: "Add a tile", run: () => setDialog("tile") }, { label: "Variables of the board", run: () => setDialog("variables") }] : []),
  ]);
  const more: (MenuItem | null)[] = [
    { label: "Copy as JSON", run: () => void copy(JSON.stringify(board, null, 2), "Board copied as JSON") },
    { label: "Versions…", run: () => setDialog("versions") },
    ...(write ? [null, { label: "Variables…", run: () => setDialog("variables") }, { label: "Look first at this time", hint: range.last ?? "", run: () => range.last && change({ ...board, last: range.last }) }, { label: "Load from JSON…", run: () => setDialog("json") }, { label: "Rename…", run: () => setDialog("name") }, { label: "Delete", run: () => void remove() }] : []),
  ];
  const tileAt = typeof dialog === "object" && dialog ? board.tiles.find((tile) => tile.id === dialog.edit) : undefined;
  return (
    <>
      <header class="head">
        <h1 class="cut">{saved.name}</h1>
        {draft && <span class="fact warn">not saved</span>}
        {board.variables.map((each) => (
          <VariableMenu key={each.name} name={each.name} sql={each.sql} project={project} />
        ))}
        <span class="gap" />
        {draft ? (
          <>
            <button class="btn" onClick={() => setDraft(null)}>
              Discard
            </button>
            <button class="btn go" onClick={() => void save()}>
              Save <kbd>Ctrl S</kbd>
            </button>
          </>
        ) : (
          write && (
            <button class="btn" onClick={() => setDialog("tile")}>
              Add a tile <kbd>a</kbd>
            </button>
          )
        )}
        <Menu align="right" name="Refresh" label={<>{refresh ? REFRESHES.find(([key]) => Number(key) === refresh)?.[1] ?? `Every ${refresh} s` : "Refresh"} <span aria-hidden="true">▾</span></>} items={[{ label: "Now", hint: "r", run: () => setTick((n) => n + 1) }, null, ...REFRESHES.map(([key, label]) => ({ label, on: Number(key) === refresh, run: () => setParams({ refresh: key || "0" }) }))]} />
        <RangeMenu range={range} />
        <Menu align="right" name="More of this board" label="⋯" items={more} />
      </header>
      {full ? (
        <section class="tile full" aria-label={full.title}>
          <header>
            <h2 class="cut">{full.title}</h2>
            <button class="btn plain small" aria-label="Leave full screen" onClick={() => setParams({ full: null })}>
              <kbd>Esc</kbd>
            </button>
          </header>
          <TileBody tile={full} context={context} />
        </section>
      ) : !board.tiles.length ? (
        <State title="This board is empty">
          <p>A tile is a statement and how its answer is shown.</p>
          {write && (
            <button class="btn go" onClick={() => setDialog("tile")}>
              Add a tile
            </button>
          )}
        </State>
      ) : (
        <Grid
          tiles={board.tiles}
          write={write}
          onPlace={(id, place) => change({ ...board, tiles: moved(board.tiles, id, place) })}
          body={(tile) => <TileBody tile={tile} context={context} />}
          menu={(tile) => (
            <TileMenu
              tile={tile}
              context={context}
              write={write}
              onEdit={() => setDialog({ edit: tile.id })}
              onCopy={() => change({ ...board, tiles: settled([...board.tiles, { ...tile, id: newId(), y: tile.y + tile.h }]) })}
              onRemove={() => change({ ...board, tiles: settled(board.tiles.filter((each) => each.id !== tile.id)) })}
            />
          )}
        />
      )}
      <footer class="foot">
        <span>{plural(board.tiles.length, "tile")}</span>
        <span>as of {clock(new Date(now))}</span>
        <span title={utc(saved.updated_ns / 1e6)}>
          version {saved.version}
          {saved.author && ` by ${saved.author}`}, {when(saved.updated_ns / 1e6)}
        </span>
      </footer>
      {dialog === "tile" && <TileDialog tile={null} context={context} onClose={() => setDialog(null)} onSave={(tile) => (setDialog(null), change(withTile(board, tile)))} />}
      {tileAt && <TileDialog tile={tileAt} context={context} onClose={() => setDialog(null)} onSave={(tile) => (setDialog(null), change({ ...board, tiles: board.tiles.map((each) => (each.id === tileAt.id ? { ...each, ...tile } : each)) }))} />}
      {dialog === "variables" && <VariablesDialog variables={board.variables} onClose={() => setDialog(null)} onSave={(variables) => (setDialog(null), change({ ...board, variables }))} />}
      {dialog === "json" && <JsonDialog onClose={() => setDialog(null)} onBoard={(next) => (setDialog(null), change(next))} />}
      {dialog === "versions" && <VersionsDialog saved={saved} onClose={() => setDialog(null)} onTake={(body) => (setDialog(null), change(asBoard(body)))} />}
      {dialog === "name" && <NameDialog title={`Rename ${saved.name}`} label="New name" value={saved.name} onClose={() => setDialog(null)} onName={(name) => saveDocument(saved, saved.body, name).then(() => (setDialog(null), reload()))} />}
      {conflict && <ConflictDialog saved={saved} onClose={() => setConflict(false)} onTheirs={() => (setConflict(false), setDraft(null), reload())} onMine={(newest) => void save(newest)} />}
    </>
  );
}

/** Asks again every so many seconds, while somebody can see it. */
function useRefresh(seconds: number, again: () => void): void {
  const latest = useRef(again);
  latest.current = again;
  useEffect(() => {
    if (!seconds) return;
    const timer = setInterval(() => document.hidden || latest.current(), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}

function VariableMenu({ name, sql, project }: { name: string; sql: string; project: string }) {
  const found = useLoad(`variable ${project} ${sql}`, (signal) => query(sql, { project, signal, maxRows: MOST_VALUES }));
  const value = params.value.get(`var.${name}`);
  const all = [...new Set((found.data?.rows ?? []).map((row) => row[0]).filter((each) => each !== null).map(String))];
  const pick = (next: string | null) => setParams({ [`var.${name}`]: next });
  return <Menu name={`${name}: ${value ?? "all"}`} label={<><span class="muted">{name}</span> <span class="cut saved-name">{value ?? "all"}</span> <span aria-hidden="true">▾</span></>} items={[{ label: "all", on: value === null, run: () => pick(null) }, ...(found.error ? [{ label: <span class="err">its query fails</span> }] : []), ...all.map((each) => ({ label: each, on: each === value, run: () => pick(each) }))]} />;
}

function JsonDialog({ onBoard, onClose }: { onBoard: (board: Board) => void; onClose: () => void }) {
  const [error, setError] = useState<unknown>(null);
  return (
    <Dialog title="Load a board from JSON" wide onClose={onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          try {
            const board = asBoard(JSON.parse(String(new FormData(event.currentTarget).get("text"))));
            if (!board.tiles.length) throw new Error("There is no tile in it: a board is {tiles: [{title, kind, sql, x, y, w, h}]}.");
            onBoard(board);
          } catch (failure) {
            setError(failure);
          }
        }}
      >
        <label class="field">
          The board, as “Copy as JSON” gives it; it replaces what is shown until you save or discard
          <textarea class="text mono" name="text" rows={14} required autofocus />
        </label>
        <FailureNote error={error} />
        <div>
          <button class="btn go">Load</button>
        </div>
      </form>
    </Dialog>
  );
}
