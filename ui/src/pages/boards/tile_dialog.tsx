/** Makes or changes a tile: its statement beside what it shows. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "../../parts/overlay";
import { Waiting } from "../../parts/states";
import type { ErrorPlace } from "../../parts/editor";
import { KINDS, type Tile } from "./model";
import { TileBody, type TileContext } from "./tile";

type EditorType = ComponentType<{ project: string; value: string; onChange: (text: string) => void; onRun: () => void; error: ErrorPlace | null; label: string }>;
export type TileDraft = Pick<Tile, "title" | "kind" | "sql">;

const FIRST = "SELECT time_bucket($step, start_time) AS time, count(*) AS spans\nFROM spans\nWHERE start_time >= $from AND start_time < $to\nGROUP BY ALL\nORDER BY time";

export function TileDialog(props: { tile: TileDraft | null; context: TileContext; onClose: () => void; onSave: (draft: TileDraft) => void }) {
  const [draft, setDraft] = useState<TileDraft>(props.tile ?? { title: "", kind: "area", sql: FIRST });
  const [shown, setShown] = useState(draft);
  const [EditorPart, setEditor] = useState<EditorType | null>(null);
  useEffect(() => void import("../../parts/editor").then((module) => setEditor(() => module.default)), []);
  const change = (more: Partial<TileDraft>) => setDraft((before) => ({ ...before, ...more }));
  const look = () => setShown(draft);
  const text = draft.kind === "text";
  return (
    <Dialog
      title={props.tile ? "Edit the tile" : "Add a tile"}
      wide
      onClose={props.onClose}
      footer={
        <>
          {!text && (
            <button class="btn" onClick={look}>
              Try it
            </button>
          )}
          <button class="btn go" onClick={() => props.onSave({ ...draft, title: draft.title.trim() })}>
            {props.tile ? "Keep the change" : "Add it"}
          </button>
        </>
      }
    >
      <div class="row-flex">
        <label class="field grow">
          Title
          <input class="text" value={draft.title} maxLength={200} autofocus onInput={(event) => change({ title: event.currentTarget.value })} />
        </label>
        <label class="field">
          Shown as
          <select
            class="text"
            value={draft.kind}
            onChange={(event) => {
              const kind = event.currentTarget.value as Tile["kind"];
              change({ kind });
              setShown({ ...draft, kind });
            }}
          >
            {KINDS.map((kind) => (
              <option key={kind}>{kind}</option>
            ))}
          </select>
        </label>
      </div>
      {text ? (
        <label class="field">
          Text, in Markdown
          <textarea class="text mono" rows={10} value={draft.sql} onInput={(event) => change({ sql: event.currentTarget.value })} />
        </label>
      ) : (
        <>
          <div class="tile-editor">{EditorPart ? <EditorPart project={props.context.project} value={draft.sql} onChange={(sql) => change({ sql })} onRun={look} error={null} label="SQL of the tile" /> : <Waiting what="Editor…" />}</div>
          <span class="muted small-text">
            <code>$from</code>, <code>$to</code> and <code>$step</code> are the board's time; <code>$name</code> is a variable of the board.
          </span>
          <div class="tile-preview">
            <TileBody tile={{ ...shown, id: "preview", x: 0, y: 0, w: 6, h: 4 }} context={props.context} />
          </div>
        </>
      )}
    </Dialog>
  );
}
