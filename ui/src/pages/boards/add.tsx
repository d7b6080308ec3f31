/** Adds a statement to a board from elsewhere: one that is there, or a new one. */
import { useState } from "preact/hooks";
import { createDocument, listDocuments, saveDocument } from "../../api/documents";
import { navigate, pageUrl } from "../../app/location";
import type { Kind } from "../../parts/chart_data";
import { useLoad } from "../../parts/load";
import { Dialog, toast } from "../../parts/overlay";
import { FailureNote } from "../../parts/states";
import { asBoard, EMPTY, withTile } from "./model";

export function AddToBoard({ project, sql, kind, onClose }: { project: string; sql: string; kind: Kind; onClose: () => void }) {
  const all = useLoad(`boards ${project}`, (signal) => listDocuments<unknown>("board", project, signal));
  const [error, setError] = useState<unknown>(null);
  const add = async (form: HTMLFormElement) => {
    const given = new FormData(form);
    const name = String(given.get("board")).trim();
    const tile = { title: String(given.get("title")).trim(), kind, sql };
    try {
      // Read anew: what was listed may have been changed since.
      const board = (await listDocuments<unknown>("board", project)).find((each) => each.name === name);
      const done = board ? await saveDocument(board, withTile(asBoard(board.body), tile)) : await createDocument("board", project, name, withTile(EMPTY, tile));
      onClose();
      toast(`Added to ${name}`, { label: "Open", run: () => navigate(pageUrl(project, `boards/${done.document_id}`)) });
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title="Add to a board" onClose={onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          void add(event.currentTarget);
        }}
      >
        <label class="field">
          Board: one that is there, or a new name
          <input class="text" name="board" required maxLength={200} list="boards" autocomplete="off" autofocus />
        </label>
        <datalist id="boards">{all.data?.map((each) => <option key={each.document_id} value={each.name} />)}</datalist>
        <label class="field">
          Title of the tile
          <input class="text" name="title" required maxLength={200} autocomplete="off" />
        </label>
        <FailureNote error={error} />
        <div class="row-flex">
          <button class="btn go">Add</button>
          <span class="muted">Shown as {kind}. Write $from, $to and $step into it and it follows the board's time.</span>
        </div>
      </form>
    </Dialog>
  );
}
