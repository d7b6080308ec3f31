/** How long a project's rows are kept, and what is removed for good. */
import { useState } from "preact/hooks";
import { json } from "../../api/http";
import { objects, query, quoted } from "../../api/query";
import { navigate, pageUrl } from "../../app/location";
import { loadProjects, mayAdminister, projects } from "../../app/session";
import { count, plural, utc, when } from "../../format";
import { useLoad } from "../../parts/load";
import { Dialog, toast } from "../../parts/overlay";
import { FailureNote, Waiting } from "../../parts/states";

export function ProjectSettings({ project }: { project: string }) {
  return (
    <div class="body pad settings">
      <Retention project={project} />
      {mayAdminister.value ? <Deletes project={project} /> : <p class="muted">Changes need a key with the scope admin.</p>}
      <AllProjects />
    </div>
  );
}

function Retention({ project }: { project: string }) {
  const info = projects.value?.find((each) => each.name === project);
  const [error, setError] = useState<unknown>(null);
  const days = info?.retention_days ?? null;
  const put = async (value: number | null) => {
    try {
      await json(`/api/projects?name=${encodeURIComponent(project)}`, { method: "PUT", body: { retention_days: value } });
      await loadProjects();
      setError(null);
      toast(value === null ? `Rows of ${project} are kept for ever` : `Rows of ${project} expire after ${plural(value, "day")}`);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <section>
      <h2>Retention</h2>
      <p class="muted">{days === null ? "Rows are kept for ever." : `Rows expire ${plural(days, "day")} after they happened; whole files go first.`}</p>
      {mayAdminister.value && (
        <form
          class="row-flex"
          onSubmit={(event) => {
            event.preventDefault();
            void put(Number(new FormData(event.currentTarget).get("days")) || null);
          }}
        >
          <label class="row-flex">
            Keep rows for
            <input class="text short" name="days" type="number" min={1} max={36500} required defaultValue={days ?? ""} placeholder="30" />
            days
          </label>
          <button class="btn go">Set</button>
          {days !== null && (
            <button type="button" class="btn" onClick={() => void put(null)}>
              Keep for ever
            </button>
          )}
        </form>
      )}
      <FailureNote error={error} />
    </section>
  );
}

interface Selection {
  trace_id?: string;
  before_ms?: number;
  where?: string; // of spans
}

/** Returns the tables that a selection means, with the column of their time. */
const tablesOf = (selection: Selection): [string, string][] => (selection.where !== undefined ? [["spans", "start_ns"]] : [["spans", "start_ns"], ["logs", "time_ns"]]);

function Deletes({ project }: { project: string }) {
  const [what, setWhat] = useState<"before" | "trace" | "where" | "all">("before");
  const [asked, setAsked] = useState<Selection | null>(null);
  return (
    <section>
      <h2>Delete</h2>
      <p class="muted">What is deleted is gone from every file. You see what goes before it does.</p>
      <form
        class="row-flex wrapping"
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget);
          if (what === "before") setAsked({ before_ms: new Date(`${String(given.get("day"))}T00:00:00`).getTime() });
          else if (what === "where") setAsked({ where: String(given.get("where")).trim() });
          else setAsked(what === "trace" ? { trace_id: String(given.get("trace")).trim().toLowerCase() } : {});
        }}
      >
        <select class="text" aria-label="What to delete" value={what} onChange={(event) => setWhat(event.currentTarget.value as typeof what)}>
          <option value="before">Rows before a day</option>
          <option value="trace">One trace</option>
          <option value="where">Spans that match</option>
          <option value="all">The whole project</option>
        </select>
        {what === "before" && <input class="text" type="date" name="day" required aria-label="The first day that stays" />}
        {what === "trace" && <input class="text mono trace-id" name="trace" required pattern="[0-9a-fA-F]{32}" placeholder="trace id, 32 hex digits" aria-label="Trace id" />}
        {what === "where" && <input class="text mono trace-id" name="where" required placeholder="metadata.user_id = 'u1'" aria-label="A condition in SQL" />}
        <button class="btn">Show what goes</button>
      </form>
      {asked && <DeleteDialog project={project} selection={asked} onClose={() => setAsked(null)} />}
    </section>
  );
}

function condition(selection: Selection, column: string): string {
  const terms = [];
  if (selection.trace_id) terms.push(`trace_id = ${quoted(selection.trace_id)}`);
  if (selection.where) terms.push(`(${selection.where})`);
  if (selection.before_ms !== undefined) terms.push(`${column} < ${selection.before_ms}000000`);
  return terms.join(" AND ") || "true";
}

const previewSql = (selection: Selection): string =>
  tablesOf(selection)
    .map(([table, time]) => `SELECT '${table}' AS kind, count(*) AS rows, min(${time}) AS first_ns, max(${time}) AS last_ns FROM ${table} WHERE ${condition(selection, time)}`)
    .join("\nUNION ALL\n");

/** Removes what a selection names, and returns how many rows. */
async function removed(project: string, selection: Selection, whole: boolean): Promise<number> {
  if (whole) return (await json<{ rows: number }>(`/api/projects?name=${encodeURIComponent(project)}`, { method: "DELETE" })).rows;
  let rows = 0;
  for (const [table, time] of tablesOf(selection)) rows += (await json<{ rows: number }>("/api/delete", { body: { project, table, where: condition(selection, time) } })).rows;
  return rows;
}

function DeleteDialog({ project, selection, onClose }: { project: string; selection: Selection; onClose: () => void }) {
  const preview = useLoad(JSON.stringify([project, selection]), (signal) => query(previewSql(selection), { project, signal }).then(objects));
  const [error, setError] = useState<unknown>(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const whole = !selection.trace_id && selection.before_ms === undefined && selection.where === undefined;
  const rows = preview.data?.reduce((sum, each) => sum + Number(each.rows), 0) ?? 0;
  const remove = async () => {
    setBusy(true);
    try {
      toast(`${plural(await removed(project, selection, whole), "row")} deleted`);
      onClose();
      await loadProjects();
      if (whole) navigate(pageUrl(project, "traces"));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={whole ? `Delete the project ${project}` : `Delete from ${project}`} onClose={onClose}>
      <FailureNote error={error ?? preview.error} />
      {!preview.data ? (
        <Waiting what="Counting…" />
      ) : (
        <>
          <dl class="kv">
            {preview.data.map((each) => (
              <>
                <dt>{String(each.kind)}</dt>
                <dd>
                  <b>{count(Number(each.rows))}</b>
                  {Number(each.rows) > 0 && (
                    <span class="muted" title={`${utc(Number(each.first_ns) / 1e6)} to ${utc(Number(each.last_ns) / 1e6)}`}>
                      {" "}
                      from {when(Number(each.first_ns) / 1e6)} to {when(Number(each.last_ns) / 1e6)}
                    </span>
                  )}
                </dd>
              </>
            ))}
          </dl>
          {whole && <p class="flat">Its datasets, experiments, views, boards, queues and alerts go too.</p>}
          <a class="link" href={pageUrl(project, "ask", { sql: `SELECT * FROM spans WHERE ${condition(selection, "start_ns")} ORDER BY start_time DESC LIMIT 1000` })}>
            Look at them first
          </a>
          <label class="field">
            Type the project's name, <b>{project}</b>, to delete {whole ? "all of it" : plural(rows, "row")}
            <input class="text" value={typed} autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} autofocus />
          </label>
          <div>
            <button class="btn danger" disabled={busy || typed !== project || (!whole && !rows)} onClick={() => void remove()}>
              {busy ? "Deleting…" : "Delete for good"}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function AllProjects() {
  const all = projects.value ?? [];
  if (all.length === 0)
    return (
      <section>
        <h2>Projects</h2>
        <p class="muted">There is none yet. The first row that is sent to a project makes it.</p>
      </section>
    );
  return (
    <section>
      <h2>Projects</h2>
      <table class="grid inline">
        <thead>
          <tr>
            <th>name</th>
            <th>kept for</th>
            <th>traces</th>
          </tr>
        </thead>
        <tbody>
          {all.map((each) => (
            <tr key={each.name}>
              <td>
                <a class="strong" href={pageUrl(each.name, "settings/project")}>
                  {each.name}
                </a>
              </td>
              <td class="muted">{each.retention_days === null ? "ever" : plural(each.retention_days, "day")}</td>
              <td class="muted">{each.has_spans ? <a class="link" href={pageUrl(each.name, "traces")}>Open</a> : "none"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
