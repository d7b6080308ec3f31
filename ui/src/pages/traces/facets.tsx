/** Facets: any path with its types, its share and its values; a click writes the WHERE clause. */
import { useEffect, useRef, useState } from "preact/hooks";
import { setParams } from "../../app/location";
import { aborted, request } from "../../api/http";
import { literal } from "../../api/query";
import { count, number, share } from "../../format";
import { knownPaths, typeWords, type PathInfo } from "../../parts/completion";
import { choose, chosen, hasTerm, toggled } from "../../parts/sql_text";
import { setWhere } from "./state";

export interface Facet {
  path: string;
  types: string[];
  rows: number;
  total: number;
  distinct: number;
  values: { value: unknown; type: string; rows: number }[];
  spread: { from: number; to: number | null; rows: number }[];
  error?: string;
}

interface Props {
  project: string;
  where: string;
  condition: string;
  fromNs: number | null;
  toNs: number | null;
  extra: string[];
  tick: number;
}

/** Reads the facets of a selection, each shown as it comes. */
function useFacets(props: Props): { facets: Facet[]; loading: boolean; error: string | null } {
  const [facets, setFacets] = useState<Facet[]>([]);
  const [loading, setLoading] = useState(true);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    const control = new AbortController();
    setLoading(true);
    setError(null);
    void read(props, control.signal, setFacets).then(
      () => setLoading(false),
      (failure) => {
        if (aborted(failure) || control.signal.aborted) return;
        setLoading(false);
        setError(failure.message);
      },
    );
    return () => control.abort();
  }, [props.project, props.condition, props.extra.join("|"), props.tick]);
  return { facets, loading, error };
}

async function read(props: Props, signal: AbortSignal, show: (facets: Facet[]) => void): Promise<void> {
  const body = { project: props.project, where: props.condition };
  const asks: (string[] | null)[] = props.extra.length ? [props.extra, null] : [null];
  const found: Facet[] = [];
  for (const paths of asks) {
    const answer = await request("/api/explore/facets", { body: paths ? { ...body, paths } : body, signal });
    for await (const line of lines(answer)) {
      const facet = JSON.parse(line) as Facet;
      if (!found.some((each) => each.path === facet.path)) found.push(facet);
      show([...found]);
    }
  }
  show([...found]);
}

/** Yields the lines of a streamed answer as they come. */
export async function* lines(answer: Response): AsyncGenerator<string> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part) yield part;
  }
  if (rest) yield rest;
}

export function Facets(props: Props) {
  const { facets, loading, error } = useFacets(props);
  const shown = facets.filter((each) => each.error || each.rows > 0 || props.extra.includes(each.path));
  return (
    <aside class="facets" aria-label="Facets" aria-busy={loading}>
      {shown.map((facet) => (facet.error ? <FailedFacet key={facet.path} path={facet.path} error={facet.error} /> : <FacetBox key={facet.path} facet={facet} where={props.where} extra={props.extra} />))}
      {loading && !facets.length && <div class="wait">Facets…</div>}
      {error && <p class="muted">{error}</p>}
      <AddFacet project={props.project} extra={props.extra} />
    </aside>
  );
}

const FailedFacet = ({ path, error }: { path: string; error: string }) => (
  <section class="facet" title={error}>
    <h3>
      <span class="facet-head">
        <span class="cut">{path}</span>
        <span class="warn">not read</span>
      </span>
    </h3>
    <p class="muted facet-error">{error}</p>
  </section>
);

function FacetBox({ facet, where, extra }: { facet: Facet; where: string; extra: string[] }) {
  const [open, setOpen] = useState(true);
  const now = chosen(where, facet.path);
  const most = Math.max(1, ...facet.values.map((each) => each.rows), ...facet.spread.map((each) => each.rows));
  const mixed = new Set(facet.types.map((type) => typeWords([type]))).size > 1;
  const about = `${typeWords(facet.types)} · ${share(facet.rows / Math.max(1, facet.total))}`;
  return (
    <section class="facet">
      <h3>
        <button class="facet-head" aria-expanded={open} onClick={() => setOpen(!open)} title={`${facet.path}: ${typeWords(facet.types)}, ${count(facet.rows)} of ${count(facet.total)} rows, ${count(facet.distinct)} different values`}>
          <span class="cut end">
            <bdi>{facet.path}</bdi>
          </span>
          <span class={mixed ? "warn" : ""}>{about}</span>
        </button>
        {extra.includes(facet.path) && (
          <button class="facet-x" aria-label={`Remove the facet ${facet.path}`} onClick={() => setParams({ facets: extra.filter((each) => each !== facet.path).join("|") })}>
            ✕
          </button>
        )}
      </h3>
      {open &&
        (facet.spread.length
          ? facet.spread.map((bucket) => {
              const term = bucket.to === null ? `${facet.path} >= ${bucket.from}` : `${facet.path} >= ${bucket.from} AND ${facet.path} < ${bucket.to}`;
              const on = term.split(" AND ").every((each) => hasTerm(where, each));
              return <Value key={bucket.from} label={bucket.to === null ? `≥ ${number(bucket.from)}` : `${number(bucket.from)} – ${number(bucket.to)}`} rows={bucket.rows} most={most} on={on} pick={() => setWhere(term.split(" AND ").reduce((text, each) => toggled(text, each), where))} />;
            })
          : facet.values.map((each) => {
              const written = literal(each.value);
              const list = Array.isArray(each.value);
              const text = typeof each.value === "string" ? (mixed ? `"${each.value}"` : each.value || "(empty)") : list ? (each.value as unknown[]).join(", ") : typeof each.value === "number" ? number(each.value) : JSON.stringify(each.value);
              const term = list ? `${facet.path}::VARCHAR = ${literal(JSON.stringify(each.value))}` : "";
              return (
                <Value
                  key={written}
                  label={text}
                  rows={each.rows}
                  most={most}
                  on={list ? hasTerm(where, term) : now.includes(written)}
                  pick={() => setWhere(list ? toggled(where, term) : choose(where, facet.path, written))}
                  drop={list ? undefined : () => setWhere(toggled(where, `${facet.path} <> ${written}`))}
                />
              );
            }))}
      {open && !facet.rows && <p class="muted small">no row here has it</p>}
    </section>
  );
}

function Value(props: { label: string; rows: number; most: number; on: boolean; pick: () => void; drop?: () => void }) {
  return (
    <div class={`fv ${props.on ? "on" : ""}`} style={{ "--w": `${(props.rows / props.most) * 100}%` }}>
      <button class="cut" aria-pressed={props.on} onClick={props.pick} title={props.label}>
        {props.on && "✓ "}
        {props.label}
      </button>
      {props.drop && (
        <button class="not" onClick={props.drop} aria-label={`Exclude ${props.label}`} title="Exclude">
          ≠
        </button>
      )}
      <span class="muted">{count(props.rows)}</span>
    </div>
  );
}

function AddFacet({ project, extra }: { project: string; extra: string[] }) {
  const [paths, setPaths] = useState<PathInfo[]>([]);
  const field = useRef<HTMLInputElement>(null);
  const add = (path: string) => {
    const text = path.trim();
    if (!text) return;
    setParams({ facets: [...extra.filter((each) => each !== text), text].join("|") });
    if (field.current) field.current.value = "";
  };
  return (
    <form
      class="facet"
      onSubmit={(event) => {
        event.preventDefault();
        add(field.current?.value ?? "");
      }}
    >
      <input ref={field} class="text mono add-facet" list="facet-paths" aria-label="Add a facet: any path" placeholder="+ any path…" onFocus={() => void knownPaths(project).then(setPaths, () => {})} onChange={(event) => paths.some((each) => each.path === event.currentTarget.value) && add(event.currentTarget.value)} />
      <datalist id="facet-paths">
        {paths.slice(0, 500).map((each) => (
          <option key={each.path} value={each.path} />
        ))}
      </datalist>
    </form>
  );
}
