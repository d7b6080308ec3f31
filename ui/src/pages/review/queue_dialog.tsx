/** Makes or changes a queue: its filter, its questions, and the dataset that cases go to. */
import { useState } from "preact/hooks";
import { datasetsOf } from "../../parts/actions";
import { FilterBar } from "../../parts/filter_bar";
import { useLoad } from "../../parts/load";
import { Dialog } from "../../parts/overlay";
import { FailureNote } from "../../parts/states";
import type { Question, Queue } from "./model";

export function QueueDialog(props: { project: string; name?: string; queue?: Queue; onClose: () => void; onSave: (name: string, queue: Queue) => Promise<unknown> }) {
  const [name, setName] = useState(props.name ?? "");
  const [where, setWhere] = useState(props.queue?.where ?? "");
  const [questions, setQuestions] = useState<{ name: string; labels: string }[]>(props.queue?.questions.map((each) => ({ name: each.name, labels: each.labels.join(", ") })) ?? [{ name: "quality", labels: "" }]);
  const [dataset, setDataset] = useState(props.queue?.dataset ?? "");
  const [error, setError] = useState<unknown>(null);
  const known = useLoad(`datasets ${props.project}`, (signal) => datasetsOf(props.project, signal));
  const put = (at: number, more: Partial<{ name: string; labels: string }>) => setQuestions(questions.map((each, i) => (i === at ? { ...each, ...more } : each)));
  const save = () => {
    const asked: Question[] = questions.filter((each) => each.name.trim()).map((each) => ({ name: each.name.trim(), labels: [...new Set(each.labels.split(",").map((label) => label.trim()).filter(Boolean))].slice(0, 9) }));
    props.onSave(name.trim(), { where: where.trim(), questions: asked, dataset: dataset.trim() || null }).then(props.onClose, setError);
  };
  return (
    <Dialog title={props.queue ? `Change ${props.name}` : "New queue"} wide onClose={props.onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <label class="field">
          Name
          <input class="text" required maxLength={200} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} autofocus />
        </label>
        <div class="field-block">
          <span>Which spans: a condition as in Traces; empty for the roots of all traces</span>
          <FilterBar project={props.project} value={where} onChange={setWhere} onInput={setWhere} />
        </div>
        <fieldset class="choices">
          <legend>What is asked: a score from 0 to 1, or one of several labels</legend>
          {questions.map((each, i) => (
            <div class="row-flex" key={i}>
              <input class="text question-name" aria-label={`Name of question ${i + 1}`} required maxLength={100} placeholder="quality" value={each.name} onInput={(event) => put(i, { name: event.currentTarget.value })} />
              <input class="text grow" aria-label={`Labels of question ${i + 1}`} placeholder="labels, parted by commas; none for a score" value={each.labels} onInput={(event) => put(i, { labels: event.currentTarget.value })} />
              <button type="button" class="btn plain small" aria-label={`Remove question ${i + 1}`} onClick={() => setQuestions(questions.filter((_, at) => at !== i))}>
                ✕
              </button>
            </div>
          ))}
          <div>
            <button type="button" class="btn small" onClick={() => setQuestions([...questions, { name: "", labels: "" }])}>
              One more question
            </button>
          </div>
        </fieldset>
        <label class="field">
          Dataset that each reviewed span is added to, with what is expected; empty for none
          <input class="text" list="queue-datasets" autocomplete="off" value={dataset} onInput={(event) => setDataset(event.currentTarget.value)} />
        </label>
        <datalist id="queue-datasets">{known.data?.map((each) => <option key={each.name} value={each.name} />)}</datalist>
        <FailureNote error={error} />
        <div>
          <button class="btn go">Save</button>
        </div>
      </form>
    </Dialog>
  );
}
