/** One queue: the next span to look at, what is asked of it, and how far it is. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { deleteDocument, getDocument, isConflict, saveDocument, type SavedDocument } from "../../api/documents";
import { json } from "../../api/http";
import { objects, query, quoted, type Row } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, setParams, params } from "../../app/location";
import { mayWrite, session } from "../../app/session";
import { count, plural, share } from "../../format";
import { caseSql } from "../../parts/actions";
import { useLoad } from "../../parts/load";
import { Menu, toast } from "../../parts/overlay";
import { ConflictDialog } from "../../parts/saved";
import { Failure, State, Waiting } from "../../parts/states";
import { Chat } from "../trace/span_panel";
import { Form } from "./form";
import { agreement, asQueue, byReviewer, countSql, NEXT, patchOf, reviewedSql, waitingSql, type Answers, type Queue } from "./model";
import { QueueDialog } from "./queue_dialog";

const NAME = "tracestore.reviewer";

/** Returns who reviews: the key's name, or the name that this browser was told. */
export const reviewer = (): string => (session.value?.keys_required ? session.value.name : localStorage.getItem(NAME)) || "me";

export function QueuePage({ project, id }: { project: string; id: string }) {
  const found = useLoad(`queue ${project} ${id}`, (signal) => getDocument<unknown>("queue", project, id, signal));
  if (found.error && !found.data) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  return <Opened project={project} saved={found.data} reload={found.reload} />;
}

interface Item {
  trace_id: string;
  span_id: string;
}

const keyOf = (item: Item): string => `${item.trace_id}:${item.span_id}`;

function Opened({ project, saved, reload }: { project: string; saved: SavedDocument<unknown>; reload: () => void }) {
  const queue = useMemo<Queue>(() => asQueue(saved.body), [saved]);
  const id = saved.document_id;
  const [who, setWho] = useState(reviewer());
  const [batch, setBatch] = useState(0);
  const [done, setDone] = useState<Map<string, Answers>>(new Map());
  const [skipped, setSkipped] = useState<ReadonlySet<string>>(new Set());
  const [dialog, setDialog] = useState(false);
  const [conflict, setConflict] = useState(false);
  const key = JSON.stringify([id, saved.version, who, batch]);
  const waiting = useLoad(`waiting ${key}`, (signal) => query(waitingSql(queue, id, who, project), { project, signal }).then((answer) => ({ items: objects(answer) as unknown as Item[], who })));
  const counts = useLoad(`counts ${key}`, (signal) => query(countSql(queue, id, who, project), { project, signal }).then((answer) => ({ row: objects(answer)[0]!, of: key, before: done.size })));
  const reviewed = useLoad(`reviewed ${key}`, (signal) => query(reviewedSql(queue, id, project), { project, signal }).then(objects));
  // What waits for one reviewer says nothing of another.
  const mineToDo = waiting.data?.who === who ? waiting.data.items : null;
  const left = (mineToDo ?? []).filter((item) => !done.has(keyOf(item)) && !skipped.has(keyOf(item)));
  const wanted = params.value.get("item");
  const item: Item | null = wanted ? asItem(wanted) : (left[0] ?? null);
  const span = useLoad(item ? `${project} ${keyOf(item)}` : null, (signal) => json<Row>(`/api/traces/${item!.trace_id}/spans/${item!.span_id}?project=${encodeURIComponent(project)}`, { signal }));
  useEffect(() => {
    // The next ones are read when the last of these is answered.
    if (!wanted && !left.length && mineToDo?.length === NEXT) setBatch((n) => n + 1);
  }, [left.length, waiting.data]);
  const total = Number(counts.data?.row.items ?? 0);
  const mine = Math.max(0, Number(counts.data?.row.mine ?? 0) - (counts.data?.before ?? 0) + done.size);
  const step = () => setParams({ item: null }, { replace: true });
  const save = async (given: { answers: Answers; expected?: unknown; comment: string }) => {
    if (!item) return;
    const span = { trace_id: item.trace_id, span_id: item.span_id };
    await json(`/api/patch?project=${encodeURIComponent(project)}`, { body: { patches: [patchOf(queue, id, who, span, given, Date.now())] } });
    if (queue.dataset) await json(`/api/datasets/query?name=${encodeURIComponent(queue.dataset)}&project=${encodeURIComponent(project)}`, { body: { sql: caseSql(`trace_id = ${quoted(span.trace_id)} AND span_id = ${quoted(span.span_id)}`) } });
    setDone(new Map(done).set(keyOf(item), given.answers));
    // A count that was under way may have this answer or not.
    if (counts.data?.of !== key) counts.reload();
    toast("Saved", { label: "Look at it again", run: () => setParams({ item: keyOf(item) }) });
    step();
  };
  const skip = () => {
    if (item) setSkipped(new Set([...skipped, keyOf(item)]));
    step();
  };
  const change = async (name: string, next: Queue) => {
    try {
      await saveDocument(saved, next, name);
      reload();
    } catch (error) {
      if (!isConflict(error)) throw error;
      setConflict(true);
    }
  };
  useKeys([
    { keys: "Escape", label: "Back to Review", run: () => navigate(pageUrl(project, "review")) },
    { keys: "s", label: "Skip", run: skip },
    { keys: "t", label: "Open its trace", run: () => item && navigate(pageUrl(project, `trace/${item.trace_id}`, { span: item.span_id })) },
  ]);
  const agreed = reviewed.data ? agreement(queue, reviewed.data).filter((each) => each.pairs) : [];
  const write = mayWrite.value;
  return (
    <>
      <header class="head">
        <h1 class="cut">{saved.name}</h1>
        <span class="row-flex progress" title={`${mine} of ${total} reviewed by ${who}`}>
          <progress aria-label="Reviewed by you" max={Math.max(1, total)} value={Math.min(mine, total)} />
          <span class="fact">
            <b>{count(Math.min(mine, total))}</b> of {count(total)}
          </span>
        </span>
        {agreed.map((each) => (
          <span class="fact" key={each.question} title={`${plural(each.pairs, "pair")} of answers of different reviewers`}>
            {each.question} <b>{share(each.share)}</b> agree
          </span>
        ))}
        <span class="gap" />
        {!session.value?.keys_required && (
          <label class="row-flex muted">
            You are
            <input
              class="text short"
              aria-label="Your name as a reviewer"
              defaultValue={who}
              maxLength={60}
              onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
              onChange={(event) => {
                const name = event.currentTarget.value.trim() || "me";
                localStorage.setItem(NAME, name);
                setDone(new Map());
                setWho(name);
              }}
            />
          </label>
        )}
        <Menu
          align="right"
          name="More of this queue"
          label="⋯"
          items={[
            { label: "Its spans in Traces", href: pageUrl(project, "traces", { view: "spans", where: queue.where || "is_root", last: "all" }) },
            { label: "Answers as SQL", href: pageUrl(project, "ask", { sql: reviewedSql(queue, id, project) }) },
            ...(reviewed.data ? byReviewer(reviewed.data).map(([name, n]) => ({ label: name, hint: plural(n, "review") })) : []),
            ...(write ? [null, { label: "Change…", run: () => setDialog(true) }, { label: "Delete the queue", run: () => void deleteDocument(saved).then(() => navigate(pageUrl(project, "review")), () => setConflict(true)) }] : []),
          ]}
        />
      </header>
      {waiting.error ? (
        <Failure error={waiting.error} retry={waiting.reload} />
      ) : !mineToDo ? (
        <Waiting />
      ) : !item ? (
        <State title={total ? "All done" : "Nothing matches"}>
          <p>{total ? `${who} has reviewed what there is${skipped.size ? `, and skipped ${skipped.size}` : ""}. Spans that arrive later come here, too.` : "No span matches the filter of this queue yet."}</p>
          <div class="row-flex">
            {skipped.size > 0 && (
              <button class="btn" onClick={() => setSkipped(new Set())}>
                Go through the skipped ones
              </button>
            )}
            <button class="btn" onClick={() => (setDone(new Map()), setBatch((n) => n + 1))}>
              Look again
            </button>
          </div>
        </State>
      ) : span.error ? (
        <Failure error={span.error} retry={span.reload} />
      ) : !span.data ? (
        <Waiting />
      ) : (
        <div class="review">
          <section class="review-item" tabIndex={0} aria-label="What is reviewed" key={keyOf(item)}>
            <Chat row={span.data} />
          </section>
          <Form key={keyOf(item)} queue={queue} row={span.data} given={done.get(keyOf(item))} write={write} onSave={save} onSkip={skip} traceUrl={pageUrl(project, `trace/${item.trace_id}`, { span: item.span_id })} />
        </div>
      )}
      <footer class="foot">
        <span>{left.length ? `${plural(Math.max(0, total - mine), "span")} waiting` : "none waiting"}</span>
        {skipped.size > 0 && <span>{count(skipped.size)} skipped</span>}
        {queue.dataset && (
          <a class="link" href={pageUrl(project, `datasets/${queue.dataset}`)}>
            Dataset {queue.dataset}
          </a>
        )}
      </footer>
      {dialog && <QueueDialog project={project} name={saved.name} queue={queue} onClose={() => setDialog(false)} onSave={change} />}
      {conflict && <ConflictDialog saved={saved} onClose={() => setConflict(false)} onTheirs={() => (setConflict(false), reload())} onMine={(newest) => void saveDocument(newest, queue).then(() => (setConflict(false), reload()))} />}
    </>
  );
}

function asItem(text: string): Item {
  const [trace_id, span_id] = text.split(":");
  return { trace_id: trace_id ?? "", span_id: span_id ?? "" };
}
