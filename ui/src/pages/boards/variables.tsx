/** The variables of a board: a name, and a statement whose first column has the values. */
import { useState } from "preact/hooks";
import { Dialog } from "../../parts/overlay";
import type { Variable } from "./model";

export function VariablesDialog(props: { variables: Variable[]; onClose: () => void; onSave: (variables: Variable[]) => void }) {
  const [all, setAll] = useState<Variable[]>(props.variables.length ? props.variables : [{ name: "model", sql: "SELECT DISTINCT metadata.model FROM spans" }]);
  const put = (at: number, more: Partial<Variable>) => setAll(all.map((each, i) => (i === at ? { ...each, ...more } : each)));
  return (
    <Dialog title="Variables" wide onClose={props.onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          props.onSave(all.filter((each) => each.name && each.sql.trim()));
        }}
      >
        <p class="flat muted">
          A tile says <code>$name</code>. Where nothing is chosen it is NULL: <code>($model IS NULL OR metadata.model = $model)</code> shows all.
        </p>
        {all.map((each, i) => (
          <div class="row-flex" key={i}>
            <input class="text mono short" aria-label={`Name of variable ${i + 1}`} pattern="[A-Za-z_]\w*" required value={each.name} onInput={(event) => put(i, { name: event.currentTarget.value })} />
            <input class="text mono grow" aria-label={`Statement of variable ${i + 1}`} required value={each.sql} onInput={(event) => put(i, { sql: event.currentTarget.value })} />
            <button type="button" class="btn plain small" aria-label={`Remove the variable ${each.name}`} onClick={() => setAll(all.filter((_, at) => at !== i))}>
              ✕
            </button>
          </div>
        ))}
        <div class="row-flex">
          <button class="btn go">Keep</button>
          <button type="button" class="btn" onClick={() => setAll([...all, { name: "", sql: "" }])}>
            One more
          </button>
        </div>
      </form>
    </Dialog>
  );
}
