/** Writes a scorer: a Python function that runs in the sandbox, or a model that judges; a test run on the row stands beside it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { aborted } from "../../../api/http";
import { duration, scored } from "../../../format";
import { useLoad } from "../../../parts/load";
import { Dialog, toast } from "../../../parts/overlay";
import { FailureNote } from "../../../parts/states";
import { CodeField } from "../fields/code_field";
import { saveScorer, tryScorer, type ScorerBody, type StoredScorer, type Trial } from "../functions";
import { JsonField, written } from "../fields/json_field";
import type { LivePlay } from "../live";
import { listProviders, textOf, type PlayRow } from "../model";
import { TemplateField } from "../fields/template_field";

const FIRST = `def score(input, output, expected, metadata):
    # A number from 0 to 1; with a reason:
    # {"score": 0.5, "metadata": {"rationale": "why"}}
    return 1.0 if str(expected) in str(output) else 0.0
`;
const JUDGE = `Question:
{{input}}

Answer:
{{output}}

Was the question answered?`;
const TRY_MS = 600; // after the last key stroke, code is tried again

const functionOf = (code: string): string => [...code.matchAll(/^def\s+([A-Za-z_]\w*)/gm)].pop()?.[1] ?? "score";

export function ScorerEditor(props: { play: LivePlay; scorer: StoredScorer | null; row: PlayRow | null; output: unknown; onClose: () => void; onSaved: (name: string) => void }) {
  const { play, scorer } = props;
  const [name, setName] = useState(scorer?.name ?? "");
  const [body, setBody] = useState<ScorerBody>(scorer?.body ?? { type: "python", code: FIRST, function: "score" });
  const [given, setGiven] = useState({ input: props.row?.input ?? "", output: props.output ?? "", expected: props.row?.expected ?? null, metadata: props.row?.metadata ?? null });
  const [trial, setTrial] = useState<Trial | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const control = useRef<AbortController | null>(null);
  const run = async () => {
    control.current?.abort();
    const mine = (control.current = new AbortController());
    setBusy(true);
    try {
      setTrial(await tryScorer(play.project, name || "test", body, given, mine.signal));
      setError(null);
    } catch (failure) {
      if (aborted(failure)) return;
      setTrial(null);
      setError(failure);
    }
    if (control.current === mine) setBusy(false);
  };
  useEffect(() => {
    // Code costs nothing and is tried while it is typed; a judge is asked when it is wanted.
    if (body.type !== "python") return;
    const timer = setTimeout(() => void run(), TRY_MS);
    return () => clearTimeout(timer);
  }, [JSON.stringify([body, given])]);
  useEffect(() => () => control.current?.abort(), []);
  const save = async (event: Event) => {
    event.preventDefault();
    try {
      const saved = await saveScorer(play.project, name, body, scorer?.version ?? null);
      toast(`${saved.name}, version ${saved.version}`);
      props.onSaved(saved.name);
    } catch (failure) {
      setError(failure);
    }
  };
  const take = (type: ScorerBody["type"]) => {
    setTrial(null);
    setBody(type === "python" ? { type, code: FIRST, function: "score" } : { type, prompt: JUDGE, choices: { yes: 1, partly: 0.5, no: 0 }, provider: "", model: "" });
  };
  return (
    <Dialog title={scorer ? `Scorer ${scorer.name}` : "Write a scorer"} wide onClose={props.onClose}>
      <form class="col form" onSubmit={(event) => void save(event)}>
        <div class="row-flex">
          <label class="field grow">
            Name: the name of its score
            <input class="text mono" required pattern="[A-Za-z_][A-Za-z0-9_.\-]*" maxLength={100} value={name} readOnly={!!scorer} autofocus={!scorer} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          {!scorer && (
            <div class="seg play-low" role="group" aria-label="Kind of scorer">
              {(["python", "judge"] as const).map((each) => (
                <button key={each} type="button" aria-pressed={body.type === each} onClick={() => take(each)}>
                  {each === "python" ? "Python" : "A model judges"}
                </button>
              ))}
            </div>
          )}
        </div>
        <div class="play-two">
          <div class="col form">
            {body.type === "python" ? (
              <CodeField keys={[...new Set(keysIn(given))].slice(0, 200)} value={body.code} line={trial?.failure?.line ?? null} onInput={(code) => setBody({ ...body, code, function: functionOf(code) })} />
            ) : (
              <JudgeFields play={play} body={body} onBody={setBody} />
            )}
            {body.type === "python" && <p class="muted small-text flat">It runs in a sandbox: no files, no network, two seconds. It declares those of input, output, expected and metadata that it needs. No generators, no inheritance; <code>re</code>, <code>json</code>, <code>math</code>, <code>collections</code>, <code>datetime</code> and some more can be imported.</p>}
          </div>
          <div class="col form">
            {(["input", "output", "expected"] as const).map((each) => (
              <label class="field" key={each}>
                {each}
                <textarea class="text mono" rows={each === "output" ? 4 : 2} value={typeof given[each] === "string" ? given[each] : written(given[each])} onInput={(event) => setGiven({ ...given, [each]: valueOf(event.currentTarget.value) })} />
              </label>
            ))}
            <div class="row-flex">
              <button type="button" class="btn small" onClick={() => void run()}>
                Try it
              </button>
              <span class="muted small-text" role="status">
                {busy ? "running…" : trial && !trial.failure ? duration(trial.seconds * 1e9) : ""}
              </span>
            </div>
            {trial?.failure && (
              <div class="note err" role="alert">
                {trial.failure.line ? `Line ${trial.failure.line}: ` : ""}
                {trial.failure.message}
              </div>
            )}
            {trial?.scores.map((each) => (
              <div key={each.name} class="play-score">
                <span class="mono">{each.name}</span> <b>{each.score === null ? "none" : scored(each.score)}</b>
                {each.rationale && <p class="muted small-text flat">{each.rationale}</p>}
              </div>
            ))}
            {trial && !trial.failure && !trial.scores.length && <p class="muted flat">It gives no score of this.</p>}
            {trial?.printed && <pre class="code">{trial.printed}</pre>}
          </div>
        </div>
        <FailureNote error={error} />
        <div>
          <button class="btn go">{scorer ? "Save as a new version" : "Save"}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** JSON of an object, a list, a number or a word of it is a value; all else is text. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function JudgeFields({ play, body, onBody }: { play: LivePlay; body: Extract<ScorerBody, { type: "judge" }>; onBody: (body: ScorerBody) => void }) {
  const providers = useLoad(`providers ${play.project}`, (signal) => listProviders(play.project, signal));
  const variables = ["input", "output", "expected", "metadata"].map((path) => ({ path, sample: "" }));
  return (
    <>
      <TemplateField label="What the judge is told" value={textOf(body.prompt)} variables={variables} onInput={(prompt) => onBody({ ...body, prompt })} />
      <label class="field">
        Choices and their scores
        <JsonField label="Choices and their scores" want="object" value={body.choices} onValue={(choices) => choices && onBody({ ...body, choices: choices as Record<string, number> })} />
      </label>
      <div class="row-flex">
        <label class="field">
          Provider
          <select class="text" value={body.provider} onChange={(event) => onBody({ ...body, provider: event.currentTarget.value })}>
            <option value="">choose…</option>
            {providers.data?.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
        <label class="field grow">
          Model
          <input class="text" value={body.model} required onInput={(event) => onBody({ ...body, model: event.currentTarget.value })} />
        </label>
      </div>
    </>
  );
}

/** Returns the keys of a case's objects, which code asks for. */
function keysIn(value: unknown, depth = 0): string[] {
  if (!value || typeof value !== "object" || depth > 4) return [];
  return Object.entries(value).flatMap(([key, inner]) => [...(Array.isArray(value) ? [] : [key]), ...keysIn(inner, depth + 1)]);
}
