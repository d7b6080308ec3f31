/** Every path with its types: a path of several types is shown as such, since nothing was refused. */
import { useMemo } from "preact/hooks";
import { query, type Answer } from "../../api/query";
import { pageUrl, params, setParams } from "../../app/location";
import { useKeys } from "../../app/keys";
import { count } from "../../format";
import { typeWords } from "../../parts/completion";
import { useLoad } from "../../parts/load";
import { ResultTable } from "../../parts/result_table";
import { Failure, State, Waiting } from "../../parts/states";

const SQL = "SELECT path, list(type ORDER BY rows DESC) AS types, sum(rows)::BIGINT AS rows, min(first_seen) AS first_seen, max(last_seen) AS last_seen, \"table\"\nFROM paths\nGROUP BY path, \"table\"\nORDER BY rows DESC";
const MOST_PATHS = 100_000;

export function Paths({ project }: { project: string }) {
  const found = useLoad(`paths ${project}`, (signal) => query(SQL, { project, signal, maxRows: MOST_PATHS }));
  const wanted = params.value.get("path") ?? "";
  const conflicts = params.value.get("only") === "conflicts";
  useKeys([
    { keys: "/", label: "Find a path", run: () => document.querySelector<HTMLInputElement>("[data-filter]")?.focus() },
    { keys: "f", label: "Only paths of several types", run: () => setParams({ only: conflicts ? null : "conflicts" }) },
  ]);
  const all = useMemo(() => (found.data ? told(found.data) : null), [found.data]);
  const shown = useMemo<Answer | null>(() => {
    if (!all) return null;
    const rows = all.rows.filter((row) => String(row[0]).toLowerCase().includes(wanted.toLowerCase()) && (!conflicts || String(row[1]).includes(",")));
    return { ...all, rows };
  }, [all, wanted, conflicts]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!all || !shown) return <Waiting />;
  const mixed = all.rows.filter((row) => String(row[1]).includes(",")).length;
  return (
    <>
      <div class="bar">
        <input class="text mono grow" data-filter type="search" aria-label="Find a path" placeholder="Find a path…" value={wanted} onInput={(event) => setParams({ path: event.currentTarget.value || null }, { replace: true })} />
        <button class="btn" aria-pressed={conflicts} onClick={() => setParams({ only: conflicts ? null : "conflicts" })}>
          Several types <span class={mixed ? "warn" : "muted"}>{count(mixed)}</span>
        </button>
      </div>
      {shown.rows.length > 0 && <ResultTable answer={shown} project={project} />}
      {shown.rows.length === 0 && all.rows.length > 0 && <State title={conflicts && !mixed ? "Every path has one type" : "No path matches"} />}
      {all.rows.length === 0 && (
        <State title="No paths yet">
          <p>Each path of JSON that a span or a log has stands here with its types.</p>
          <a class="btn" href={pageUrl(project, "traces")}>
            Send the first span
          </a>
        </State>
      )}
      <footer class="foot">
        <span>
          {count(shown.rows.length)} of {count(all.rows.length)} paths
        </span>
        <span>A path of several types keeps every value: nothing is refused or turned into NULL.</span>
        <span class="gap" />
        <a class="link" href={pageUrl(project, "ask", { sql: SQL })}>
          Open as SQL
        </a>
      </footer>
    </>
  );
}

/** Returns the answer with types as people call them. */
function told(answer: Answer): Answer {
  return { ...answer, rows: answer.rows.map((row) => [row[0], typeWords(row[1] as string[]), ...row.slice(2)]) };
}
