/** Versions of a prompt: saved, compared word by word, and the label that production asks for moved to one. */
import { useState } from "preact/hooks";
import { json, Problem } from "../../../api/http";
import { utc, when } from "../../../format";
import { useLoad } from "../../../parts/load";
import { Dialog, toast } from "../../../parts/overlay";
import { FailureNote, Waiting } from "../../../parts/states";
import { Words } from "../../../parts/words";
import { notePrompt } from "../columns";
import type { LivePlay } from "../live";
import { EMPTY_PROMPT, getPrompt, of, OVERRIDES, promptText, type Prompt, type PromptBody } from "../model";
import type { Way } from "../page";

interface Props {
  play: LivePlay;
  id: string;
  way: Way;
  onClose: () => void;
}

const PRODUCTION = "production";

/** Saves a body as a new version of a prompt; where somebody saved meanwhile, theirs stays below it. */
async function saveVersion(project: string, slug: string, body: PromptBody, isNew: boolean): Promise<Prompt> {
  if (isNew) return json<Prompt>(`/api/prompts?${of(project)}`, { body: { slug, body } });
  const newest = await getPrompt(project, slug);
  return json<Prompt>(`/api/prompts/${slug}?${of(project)}`, { method: "PUT", body: { version: newest.version, body } });
}

/** Makes a column name the version that it was saved as. */
function settle(play: LivePlay, id: string, prompt: Prompt): void {
  notePrompt(prompt, play.project);
  play.edit({ path: ["columns", id, "prompt"], value: { slug: prompt.slug, version: prompt.version } }, ...OVERRIDES.map((name) => ({ path: ["columns", id, name], value: null })));
}

export const slugOf = (name: string): string => name.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "").slice(0, 100);

export function SaveDialog({ play, id, way, onClose }: Props) {
  const known = way.column.prompt;
  const [slug, setSlug] = useState(known?.slug ?? slugOf(play.document.value!.name));
  const [error, setError] = useState<unknown>(null);
  const save = async (event: Event) => {
    event.preventDefault();
    try {
      const prompt = await saveVersion(play.project, slug, way.whole, slug !== known?.slug);
      settle(play, id, prompt);
      toast(`${prompt.slug}, version ${prompt.version}`);
      onClose();
    } catch (failure) {
      setError(failure instanceof Problem && failure.status === 409 ? new Problem(409, `There is a prompt ${slug} already.`, "Take another name; or choose it in the column and save a new version of it.") : failure);
    }
  };
  return (
    <Dialog title={known ? `Save as a version of ${known.slug}` : "Save as a prompt"} wide={!!known} onClose={onClose}>
      <form class="col form" onSubmit={(event) => void save(event)}>
        <label class="field">
          Name of the prompt: programs ask for it by this
          <input class="text mono" value={slug} pattern="[a-z0-9][a-z0-9._\-]*" title="small letters, digits, and . _ -" maxLength={100} required autofocus autocomplete="off" onInput={(event) => setSlug(event.currentTarget.value)} />
        </label>
        {known && way.base && slug === known.slug && <Diff before={way.base.body} after={way.whole} />}
        <FailureNote error={error} />
        <div>
          <button class="btn go">{known && slug === known.slug ? "Save as a new version" : "Save as version 1"}</button>
        </div>
      </form>
    </Dialog>
  );
}

export const Diff = ({ before, after }: { before: PromptBody; after: PromptBody }) => {
  const one = promptText({ ...EMPTY_PROMPT, ...before });
  const other = promptText({ ...EMPTY_PROMPT, ...after });
  return (
    <div class="card plain words play-diff" tabIndex={0} role="group" aria-label="What differs">
      {one === other ? <span class="muted">Nothing differs.</span> : <Words before={one} after={other} />}
    </div>
  );
};

/** Moves a label to the column's version; an edited column is saved first. */
export function PromoteDialog({ play, id, way, onClose }: Props) {
  const known = way.column.prompt;
  const [label, setLabel] = useState(PRODUCTION);
  const [slug, setSlug] = useState(known?.slug ?? slugOf(play.document.value!.name));
  const [error, setError] = useState<unknown>(null);
  const unsaved = !known || way.edited;
  const now = useLoad(known ? `promote ${known.slug} ${label}` : null, async () => {
    const newest = await getPrompt(play.project, known!.slug);
    const at = newest.labels[label];
    return { newest, at, before: at ? await getPrompt(play.project, known!.slug, at) : null };
  });
  const promote = async (event: Event) => {
    event.preventDefault();
    try {
      let version = known?.version ?? 0;
      if (unsaved) {
        const saved = await saveVersion(play.project, slug, way.whole, slug !== known?.slug);
        settle(play, id, saved);
        version = saved.version;
      }
      const moved = await json<Prompt>(`/api/prompts/${slug}/labels/${label}?${of(play.project)}`, { method: "PUT", body: { version } });
      notePrompt({ ...(await getPrompt(play.project, slug, version)), labels: moved.labels }, play.project);
      play.turn.value++;
      toast(`${label} of ${slug} is version ${version} now`);
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  const before = now.data?.before;
  return (
    <Dialog title="Promote" wide onClose={onClose}>
      <form class="col form" onSubmit={(event) => void promote(event)}>
        <div class="row-flex">
          <label class="field">
            Label
            <input class="text mono" value={label} pattern="[a-z0-9][a-z0-9._\-]*" required maxLength={64} list="labels" autofocus onInput={(event) => setLabel(event.currentTarget.value)} />
            <datalist id="labels">
              {[...new Set([PRODUCTION, "staging", ...Object.keys(now.data?.newest.labels ?? {})])].map((each) => (
                <option key={each} value={each} />
              ))}
            </datalist>
          </label>
          <label class="field grow">
            Prompt
            <input class="text mono" value={slug} readOnly={!!known} pattern="[a-z0-9][a-z0-9._\-]*" required maxLength={100} onInput={(event) => setSlug(event.currentTarget.value)} />
          </label>
        </div>
        <p class="flat muted">
          {known && now.data?.at ? `${label} is version ${now.data.at}, and moves to ` : `${label} begins at `}
          {unsaved ? "a new version of what the column has now" : `version ${known!.version}`}. Who asks for this label gets it from then on; it can be moved back at any time.
        </p>
        {before && <Diff before={before.body} after={way.whole} />}
        <FailureNote error={error ?? now.error} />
        <div>
          <button class="btn go">{unsaved ? "Save and promote" : "Promote"}</button>
        </div>
      </form>
    </Dialog>
  );
}

interface VersionInfo {
  version: number;
  author: string | null;
  created_ns: number;
  labels: string[];
}

/** The versions of a prompt: any two side by side, any taken into the column. */
export function VersionsDialog({ play, id, way, onClose }: Props) {
  const slug = way.column.prompt!.slug;
  const list = useLoad(`versions ${slug}`, (signal) => json<VersionInfo[]>(`/api/prompts/${slug}/versions?${of(play.project)}`, { signal }));
  const [after, setAfter] = useState(way.column.prompt!.version);
  const [before, setBefore] = useState<number | null>(null);
  const first = before ?? list.data?.find((each) => each.version < after)?.version ?? null;
  const two = useLoad(`two ${slug} ${first} ${after}`, async () => Promise.all([first === null ? null : getPrompt(play.project, slug, first), getPrompt(play.project, slug, after)]));
  return (
    <Dialog title={`Versions of ${slug}`} wide onClose={onClose}>
      {list.error ? (
        <FailureNote error={list.error} />
      ) : !list.data ? (
        <Waiting />
      ) : (
        <table class="grid inline play-versions">
          <thead>
            <tr>
              <th class="num">version</th>
              <th>labels</th>
              <th>saved</th>
              <th>by</th>
              <th>compare</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {list.data.map((each) => (
              <tr key={each.version} class={each.version === way.column.prompt!.version ? "on" : ""}>
                <td class="num">{each.version}</td>
                <td>
                  {each.labels.map((label) => (
                    <span class="chip label-chip" key={label}>
                      {label}
                    </span>
                  ))}
                </td>
                <td class="muted" title={utc(each.created_ns / 1e6)}>
                  {when(each.created_ns / 1e6)}
                </td>
                <td class="muted">{each.author ?? "–"}</td>
                <td>
                  <label class="play-radio">
                    <input type="radio" name="before" checked={first === each.version} onChange={() => setBefore(each.version)} aria-label={`Before: version ${each.version}`} /> before
                  </label>
                  <label class="play-radio">
                    <input type="radio" name="after" checked={after === each.version} onChange={() => setAfter(each.version)} aria-label={`After: version ${each.version}`} /> after
                  </label>
                </td>
                <td class="num">
                  <button
                    class="btn small"
                    onClick={() => {
                      play.edit({ path: ["columns", id, "prompt"], value: { slug, version: each.version } }, ...OVERRIDES.map((name) => ({ path: ["columns", id, name], value: null })));
                      onClose();
                    }}
                  >
                    Take it
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <FailureNote error={two.error} />
      {two.data?.[0] && two.data[1] && <Diff before={two.data[0].body} after={two.data[1].body} />}
    </Dialog>
  );
}
