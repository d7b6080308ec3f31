/** Which scorers look at every cell; and the way to write one. */
import { useState } from "preact/hooks";
import { useLoad } from "../../../parts/load";
import { Dialog } from "../../../parts/overlay";
import { FailureNote, Waiting } from "../../../parts/states";
import { listScorers, type StoredScorer } from "../functions";
import type { LivePlay } from "../live";
import type { PlayRow } from "../model";
import { ScorerEditor } from "./scorer_editor";

export function ScorersDialog({ play, row, output, onClose }: { play: LivePlay; row: PlayRow | null; output: unknown; onClose: () => void }) {
  const all = useLoad(`scorers ${play.project}`, (signal) => listScorers(play.project, signal));
  const [editing, setEditing] = useState<StoredScorer | "new" | null>(null);
  const chosen = play.document.value!.body.scorers ?? [];
  const choose = (name: string, on: boolean) => play.set(["scorers"], [...chosen.filter((each) => each !== name), ...(on ? [name] : [])]);
  if (editing)
    return (
      <ScorerEditor
        play={play}
        scorer={editing === "new" ? null : editing}
        row={row}
        output={output}
        onClose={() => setEditing(null)}
        onSaved={(name) => {
          if (!chosen.includes(name)) choose(name, true);
          setEditing(null);
          all.reload();
        }}
      />
    );
  const known = new Set(all.data?.map((each) => each.name));
  const gone = chosen.filter((name) => all.data && !known.has(name));
  return (
    <Dialog title="Scorers" onClose={onClose}>
      <p class="muted flat">Each cell that ends is scored by those that are chosen here.</p>
      <FailureNote error={all.error} />
      {/* One place before and after they are there: the buttons below keep the focus while they come. */}
      <div class="play-scorers">
        {!all.data && !all.error && <Waiting />}
        {all.data?.map((each) => (
          <div class="row-flex" key={each.name}>
            <label class="row-flex grow">
              <input type="checkbox" checked={chosen.includes(each.name)} onChange={(event) => choose(each.name, event.currentTarget.checked)} />
              <span class="mono">{each.name}</span>
              <span class="muted cut">{each.type === "built-in" ? "built in" : each.type === "judge" ? "a model judges" : "Python"}</span>
            </label>
            {each.type !== "built-in" && (
              <button class="btn small plain" onClick={() => setEditing(each)}>
                Edit<span class="sr"> {each.name}</span>
              </button>
            )}
          </div>
        ))}
        {gone.map((name) => (
          <label class="row-flex" key={name}>
            <input type="checkbox" checked onChange={() => choose(name, false)} />
            <span class="mono">{name}</span> <span class="err">is not there any more</span>
          </label>
        ))}
      </div>
      <div class="row-flex">
        <button class="btn go" onClick={onClose}>
          Done
        </button>
        <button class="btn" onClick={() => setEditing("new")}>
          Write a scorer
        </button>
      </div>
    </Dialog>
  );
}
