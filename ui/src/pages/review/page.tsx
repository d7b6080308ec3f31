/** REVIEW: queues of spans that people score, one after the other. */
import { useState } from "preact/hooks";
import { createDocument, listDocuments } from "../../api/documents";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayWrite } from "../../app/session";
import { plural, utc, when } from "../../format";
import { Colored } from "../../parts/filter_bar";
import { useLoad } from "../../parts/load";
import { Failure, State, Waiting } from "../../parts/states";
import { asQueue } from "./model";
import { QueueDialog } from "./queue_dialog";
import { QueuePage } from "./queue";
import "./review.css";

export function ReviewPage({ project, rest }: { project: string; rest: string[] }) {
  return rest[0] ? <QueuePage project={project} id={rest[0]} key={rest[0]} /> : <List project={project} />;
}

function List({ project }: { project: string }) {
  const found = useLoad(`queues ${project}`, (signal) => listDocuments<unknown>("queue", project, signal));
  const [making, setMaking] = useState(false);
  const all = found.data ?? [];
  const at = all.findIndex((each) => each.document_id === params.value.get("row"));
  const move = (by: number) => all.length && setParams({ row: all[Math.max(0, Math.min(all.length - 1, at + by))]!.document_id }, { replace: true });
  const open = (id: string) => navigate(pageUrl(project, `review/${id}`));
  const write = mayWrite.value;
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(at < 0 ? 1 : -1) },
    { keys: "Enter", label: "Open", run: () => all[at] && open(all[at]!.document_id) },
    ...(write ? [{ keys: "a", label: "New queue", run: () => setMaking(true) }] : []),
  ]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  return (
    <>
      <header class="head">
        <h1>Review</h1>
        <span class="gap" />
        {write && (
          <button class="btn go" onClick={() => setMaking(true)}>
            New queue <kbd>a</kbd>
          </button>
        )}
      </header>
      {!all.length ? (
        <State title="No queues yet">
          <p>A queue is a filter and what is asked of each span that matches: scores, labels, an expected output. People answer with the keyboard, one after the other.</p>
          {write && (
            <button class="btn go" onClick={() => setMaking(true)}>
              Make the first one
            </button>
          )}
        </State>
      ) : (
        <div class="body">
          <table class="grid">
            <thead>
              <tr>
                <th>name</th>
                <th>spans</th>
                <th>asks for</th>
                <th>cases go to</th>
                <th>last change</th>
              </tr>
            </thead>
            <tbody>
              {all.map((each, i) => {
                const queue = asQueue(each.body);
                return (
                  <tr key={each.document_id} class={i === at ? "on" : ""}>
                    <td>
                      <a class="strong" href={pageUrl(project, `review/${each.document_id}`)}>
                        {each.name}
                      </a>
                    </td>
                    <td class="mono">
                      <Colored sql={queue.where || "is_root"} />
                    </td>
                    <td>
                      {queue.questions.map((question) => (
                        <span class="chip spaced" key={question.name}>
                          {question.name}
                        </span>
                      ))}
                    </td>
                    <td class="muted">{queue.dataset ? <a class="link" href={pageUrl(project, `datasets/${queue.dataset}`)}>{queue.dataset}</a> : "–"}</td>
                    <td class="muted" title={utc(each.updated_ns / 1e6)}>
                      {when(each.updated_ns / 1e6)}
                      {each.author && ` by ${each.author}`}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      <footer class="foot">
        <span>{plural(all.length, "queue")}</span>
      </footer>
      {making && <QueueDialog project={project} onClose={() => setMaking(false)} onSave={async (name, queue) => open((await createDocument("queue", project, name, queue)).document_id)} />}
    </>
  );
}
