/** What is asked of one span: a key answers the question at hand and goes to the next one. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Row } from "../../api/query";
import { takesText, useKeys } from "../../app/keys";
import { number } from "../../format";
import { ofKey } from "../../parts/actions";
import { FailureNote } from "../../parts/states";
import { comparable } from "../../parts/words";
import type { Answers, Queue } from "./model";

interface Props {
  queue: Queue;
  row: Row;
  given?: Answers;
  write: boolean;
  traceUrl: string;
  onSave: (given: { answers: Answers; expected?: unknown; comment: string }) => Promise<void>;
  onSkip: () => void;
}

const DIGITS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

export function Form(props: Props) {
  const { queue, row } = props;
  const before = comparable(row.expected ?? null);
  const [answers, setAnswers] = useState<Answers>(props.given ?? {});
  const [at, setAt] = useState(0);
  const [expected, setExpected] = useState(before);
  const [comment, setComment] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const expectedField = useRef<HTMLTextAreaElement>(null);
  const commentField = useRef<HTMLTextAreaElement>(null);
  const answer = (question: number, value: number | string) => {
    setAnswers((now) => ({ ...now, [queue.questions[question]!.name]: value }));
    setAt(Math.min(question + 1, queue.questions.length - 1));
  };
  const digit = (n: number) => {
    const question = queue.questions[at];
    if (!question) return;
    if (!question.labels.length) answer(at, ofKey(n));
    else if (question.labels[n - 1] !== undefined) answer(at, question.labels[n - 1]!);
  };
  const save = async () => {
    if (!props.write || busy) return;
    setBusy(true);
    try {
      await props.onSave({ answers, comment, ...(expected !== before ? { expected: parsed(expected) } : {}) });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const takeOutput = () => setExpected(comparable(row.output ?? null));
  useKeys([
    ...DIGITS.map((n) => ({ keys: String(n), label: n === 1 ? "Answer: of scores 1 is 0 and 9 is 1, of labels the first" : "", hidden: n > 1, run: () => digit(n) })),
    { keys: "j", label: "Next question", run: () => setAt(Math.min(at + 1, queue.questions.length - 1)) },
    { keys: "k", label: "Question before", run: () => setAt(Math.max(at - 1, 0)) },
    { keys: "x", label: "Edit what is expected", run: () => expectedField.current?.focus() },
    { keys: "o", label: "Expect what it gave", run: takeOutput },
    { keys: "c", label: "Comment", run: () => commentField.current?.focus() },
    { keys: "Enter", label: "Save and next", run: () => void save() },
    { keys: "Ctrl+Enter", label: "Save and next, also from a text", run: () => void save() },
  ]);
  // Enter saves at once, wherever the last item left the focus; who types elsewhere goes on typing.
  useLayoutEffect(() => {
    if (!takesText(document.activeElement)) (document.activeElement as HTMLElement | null)?.blur?.();
  }, []);
  return (
    <form
      class="review-form"
      aria-label="Your answers"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {queue.questions.map((question, i) => (
        <fieldset key={question.name} class={`question ${i === at ? "on" : ""}`} disabled={!props.write}>
          <legend>{question.name}</legend>
          <div class="answers">
            {question.labels.length
              ? question.labels.map((label, n) => (
                  <button type="button" key={label} class="btn small" aria-pressed={answers[question.name] === label} onClick={() => answer(i, label)}>
                    {i === at && <kbd>{n + 1}</kbd>} {label}
                  </button>
                ))
              : DIGITS.map((n) => (
                  <button type="button" key={n} class="btn small score" aria-pressed={answers[question.name] === ofKey(n)} aria-label={`${n}: ${question.name} ${number(ofKey(n))}`} title={number(ofKey(n))} onClick={() => answer(i, ofKey(n))}>
                    {n}
                  </button>
                ))}
            {!question.labels.length && <span class="muted small-text">{typeof answers[question.name] === "number" ? <b>{number(answers[question.name] as number)}</b> : "1 is 0, 9 is 1"}</span>}
          </div>
        </fieldset>
      ))}
      <label class="field">
        <span class="row-flex">
          Expected <kbd>x</kbd> <span class="gap" />
          {row.output != null && (
            <button type="button" class="link" onClick={takeOutput}>
              what it gave <kbd>o</kbd>
            </button>
          )}
        </span>
        <textarea class="text mono" ref={expectedField} rows={7} value={expected} readOnly={!props.write} onInput={(event) => setExpected(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span class="row-flex">
          Comment <kbd>c</kbd>
        </span>
        <textarea class="text" ref={commentField} rows={3} value={comment} readOnly={!props.write} onInput={(event) => setComment(event.currentTarget.value)} />
      </label>
      <FailureNote error={error} />
      {props.write ? (
        <div class="row-flex">
          <button class="btn go" disabled={busy}>
            Save and next <kbd>Enter</kbd>
          </button>
          <button type="button" class="btn" onClick={props.onSkip}>
            Skip <kbd>s</kbd>
          </button>
        </div>
      ) : (
        <p class="muted flat">A key that may write can answer.</p>
      )}
      <a class="link" href={props.traceUrl}>
        Open its trace
      </a>
    </form>
  );
}

/** Returns what a person wrote as a value: JSON where it is an object or a list, else text. */
function parsed(text: string): unknown {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (!/^[[{]/.test(trimmed)) return text;
  try {
    return JSON.parse(trimmed);
  } catch {
    throw new Error("What is expected begins like JSON and is none; check brackets, commas and quotes.");
  }
}
