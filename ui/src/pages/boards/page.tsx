/** BOARDS: the boards of a project, and ready ones for a project that has none. */
import { useState } from "preact/hooks";
import { createDocument, listDocuments } from "../../api/documents";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { plural, utc, when } from "../../format";
import { useLoad } from "../../parts/load";
import { toast } from "../../parts/overlay";
import { NameDialog } from "../../parts/saved";
import { Failure, State, Waiting } from "../../parts/states";
import { BoardPage } from "./board";
import { asBoard, EMPTY, type Board } from "./model";
import { READY } from "./ready";
import "./boards.css";

export function BoardsPage({ project, rest }: { project: string; rest: string[] }) {
  return rest[0] ? <BoardPage project={project} id={rest[0]} key={rest[0]} /> : <List project={project} />;
}

function List({ project }: { project: string }) {
  const found = useLoad(`boards ${project}`, (signal) => listDocuments<unknown>("board", project, signal));
  const [naming, setNaming] = useState(false);
  const all = found.data ?? [];
  const at = all.findIndex((each) => each.document_id === params.value.get("row"));
  const move = (by: number) => all.length && setParams({ row: all[Math.max(0, Math.min(all.length - 1, at + by))]!.document_id }, { replace: true });
  const open = (id: string) => navigate(pageUrl(project, `boards/${id}`));
  const create = async (name: string, board: Board) => open((await createDocument("board", project, name, board)).document_id);
  const write = mayWrite.value;
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(at < 0 ? 1 : -1) },
    { keys: "Enter", label: "Open", run: () => all[at] && open(all[at]!.document_id) },
    ...(write ? [{ keys: "a", label: "New board", run: () => setNaming(true) }] : []),
  ]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  const left = READY.filter((each) => !all.some((board) => board.name === each.name));
  return (
    <>
      <header class="head">
        <h1>Boards</h1>
        <span class="gap" />
        {write && (
          <button class="btn go" onClick={() => setNaming(true)}>
            New board <kbd>a</kbd>
          </button>
        )}
      </header>
      <div class="body">
        {all.length ? (
          <table class="grid">
            <thead>
              <tr>
                <th>name</th>
                <th class="num">tiles</th>
                <th>last change</th>
                <th>by</th>
              </tr>
            </thead>
            <tbody>
              {all.map((each, i) => (
                <tr key={each.document_id} class={i === at ? "on" : ""}>
                  <td>
                    <a class="strong" href={pageUrl(project, `boards/${each.document_id}`)}>
                      {each.name}
                    </a>
                  </td>
                  <td class="num">{asBoard(each.body).tiles.length}</td>
                  <td class="muted" title={utc(each.updated_ns / 1e6)}>
                    {when(each.updated_ns / 1e6)}
                  </td>
                  <td class="muted">{each.author ?? "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          !write && <State title="No boards yet"><p>A key that may write makes them.</p></State>
        )}
        {write && left.length > 0 && (
          <section class="pad">
            <h2 class="ready-head">{all.length ? "Ready boards" : "Begin with a ready board"}</h2>
            <div class="example-grid ready">
              {left.map((each) => (
                <button key={each.name} class="example" onClick={() => void create(each.name, each.board).catch((error) => toast(error instanceof Error ? error.message : String(error)))}>
                  <b>{each.name}</b>
                  <span class="muted">{each.about}</span>
                  <span class="ready-sketch" aria-hidden="true">
                    {each.board.tiles.map((tile) => (
                      <i key={tile.id} class={`sketch-${tile.kind}`} style={{ gridColumn: `${tile.x + 1} / span ${tile.w}`, gridRow: `${tile.y + 1} / span ${tile.h}` }} />
                    ))}
                  </span>
                </button>
              ))}
            </div>
          </section>
        )}
      </div>
      <footer class="foot">
        <span>{plural(all.length, "board")}</span>
      </footer>
      {naming && <NameDialog title="New board" label="Name of the board" onClose={() => setNaming(false)} onName={(name) => create(name, EMPTY)} />}
    </>
  );
}
