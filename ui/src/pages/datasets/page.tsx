/** DATASETS: the list, and one dataset as a grid whose every edit is a new version. */
import { useState } from "preact/hooks";
import { json } from "../../api/http";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { count, plural, utc, when } from "../../format";
import { datasetsOf } from "../../parts/actions";
import { useLoad } from "../../parts/load";
import { Failure, State, Waiting } from "../../parts/states";
import { FromFile } from "./from_file";
import { DatasetPage } from "./rows";
import "./datasets.css";

export function DatasetsPage({ project, rest }: { project: string; rest: string[] }) {
  return rest.length ? <DatasetPage project={project} name={rest.join("/")} key={rest.join("/")} /> : <List project={project} />;
}

function List({ project }: { project: string }) {
  const found = useLoad(`datasets ${project}`, (signal) => datasetsOf(project, signal));
  const rows = found.data ?? [];
  const [adding, setAdding] = useState(false);
  const dialog = adding && <FromFile project={project} onClose={() => setAdding(false)} onAdded={found.reload} />;
  const button = mayWrite.value && (
    <button class="btn go" onClick={() => setAdding(true)}>
      New from a file <kbd>a</kbd>
    </button>
  );
  const at = rows.findIndex((each) => each.name === params.value.get("row"));
  const move = (by: number) => rows.length && setParams({ row: rows[Math.max(0, Math.min(rows.length - 1, at + by))]!.name }, { replace: true });
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(at < 0 ? 1 : -1) },
    { keys: "Enter", label: "Open", run: () => rows[at] && navigate(pageUrl(project, `datasets/${rows[at]!.name}`)) },
    ...(mayWrite.value ? [{ keys: "a", label: "New from a file", run: () => setAdding(true) }] : []),
  ]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  if (!rows.length)
    return (
      <State title="No datasets yet">
        <p>A dataset is versioned cases: what goes in, and what is expected. Make one of traces (select rows in Traces and press d), of the answer of a query in Ask, or of a file.</p>
        <div class="row-flex">
          {button}
          <a class="btn" href={pageUrl(project, "traces")}>
            Choose traces
          </a>
          <a class="btn" href={pageUrl(project, "ask")}>
            Ask
          </a>
        </div>
        {dialog}
      </State>
    );
  return (
    <>
      <header class="head">
        <h1>Datasets</h1>
        <span class="fact">
          <b>{count(rows.length)}</b>
        </span>
        <span class="gap" />
        {button}
      </header>
      <div class="body">
        <table class="grid">
          <thead>
            <tr>
              <th>name</th>
              <th class="num">rows</th>
              <th class="num">version</th>
              <th>last change</th>
              <th>when</th>
              <th>named versions</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((each, i) => {
              const last = each.versions[each.versions.length - 1];
              return (
                <tr key={each.name} class={i === at ? "on" : ""}>
                  <td>
                    <a class="strong" href={pageUrl(project, `datasets/${each.name}`)}>
                      {each.name}
                    </a>
                  </td>
                  <td class="num">{count(each.rows)}</td>
                  <td class="num">{each.version}</td>
                  <td class="muted">{last && `${last.added} added, ${last.updated} changed, ${last.deleted} removed`}</td>
                  <td class="muted" title={last && utc(last.created_ns / 1e6)}>
                    {last && when(last.created_ns / 1e6)}
                  </td>
                  <td>
                    {Object.entries(each.snapshots).map(([name, version]) => (
                      <span class="chip" key={name}>
                        {name} <b>{version}</b>
                      </span>
                    ))}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <footer class="foot">
        <span>{plural(rows.length, "dataset")}</span>
        <span class="gap" />
        <a class="link" href={pageUrl(project, "ask", { sql: "SELECT * FROM datasets" })}>
          Open as SQL
        </a>
      </footer>
      {dialog}
    </>
  );
}

/** Names a version of a dataset; the name stays with it. */
export const nameVersion = (project: string, dataset: string, name: string, version: number): Promise<unknown> => json(`/api/datasets/snapshots?name=${encodeURIComponent(dataset)}&project=${encodeURIComponent(project)}`, { body: { snapshot: name, version } });
