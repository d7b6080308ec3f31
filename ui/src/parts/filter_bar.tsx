/** The filter bar: the WHERE clause itself, coloured, with completion of paths and of values. */
import { useEffect, useRef, useState } from "preact/hooks";
import { aborted } from "../api/http";
import { knownPaths, knownValues, typeWords, type PathInfo } from "./completion";
import { count } from "../format";
import { caretAt, tokens, type Caret } from "./sql_text";
import "./filter_bar.css";

interface Option {
  text: string;
  hint: string;
  insert: string;
}

const MOST_OPTIONS = 40;

export const Colored = ({ sql }: { sql: string }) => (
  <>
    {tokens(sql).map((token, i) => (token.kind === "space" ? token.text : <span key={i} class={`sql-${token.kind}`}>{token.text}</span>))}
  </>
);

export function FilterBar(props: { project: string; value: string; onChange: (where: string) => void; onInput?: (where: string) => void; error?: string | null; table?: string }) {
  const [text, setText] = useState(props.value);
  const [open, setOpen] = useState(false);
  const [options, setOptions] = useState<Option[]>([]);
  const [at, setAt] = useState(0);
  const caret = useRef<Caret>({ kind: "none", prefix: "", from: 0, path: "" });
  const input = useRef<HTMLInputElement>(null);
  const mirror = useRef<HTMLDivElement>(null);
  const asking = useRef<AbortController | null>(null);
  useEffect(() => setText(props.value), [props.value]);

  const align = () => {
    if (mirror.current && input.current) mirror.current.scrollLeft = input.current.scrollLeft;
  };
  useEffect(align);

  const complete = async () => {
    const field = input.current;
    if (!field) return;
    const here = (caret.current = caretAt(field.value, field.selectionStart ?? field.value.length));
    asking.current?.abort();
    if (here.kind === "none") return setOpen(false);
    const control = (asking.current = new AbortController());
    try {
      const found = here.kind === "path" ? pathOptions(await knownPaths(props.project, props.table), here.prefix) : await valueOptions(props.project, here, control.signal);
      if (control.signal.aborted || document.activeElement !== field) return;
      setOptions(found);
      setAt(0);
      setOpen(found.length > 0 && !(found.length === 1 && found[0]!.insert === here.prefix));
    } catch (error) {
      if (!aborted(error)) setOpen(false);
    }
  };

  const take = (option: Option) => {
    const field = input.current!;
    const end = field.selectionStart ?? field.value.length;
    const next = field.value.slice(0, caret.current.from) + option.insert + field.value.slice(end);
    const place = caret.current.from + option.insert.length;
    setText(next);
    props.onInput?.(next);
    setOpen(false);
    // At once: what is typed next comes behind it.
    field.value = next;
    field.setSelectionRange(place, place);
    field.focus();
    if (caret.current.kind === "path") void complete();
  };

  const run = () => {
    setOpen(false);
    props.onChange(text.trim());
  };

  const keys = (event: KeyboardEvent) => {
    if (open && event.key === "ArrowDown") setAt(Math.min(at + 1, options.length - 1));
    else if (open && event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (open && (event.key === "Tab" || (event.key === "Enter" && at >= 0 && options[at] && options[at]!.insert !== caret.current.prefix && caret.current.prefix))) take(options[Math.max(at, 0)]!);
    else if (event.key === "Enter") run();
    else if (event.key === "Escape" && open) setOpen(false);
    else if (event.key === " " && event.ctrlKey) void complete();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class={`where ${props.error ? "bad" : ""}`} role="search">
      <b aria-hidden="true">WHERE</b>
      <div class="where-field">
        <div class="where-mirror" ref={mirror} aria-hidden="true">
          <Colored sql={text} />
        </div>
        <input
          ref={input}
          data-filter
          role="combobox"
          aria-label="Filter: a condition in SQL"
          aria-expanded={open}
          aria-controls="filter-options"
          aria-autocomplete="list"
          aria-invalid={!!props.error}
          spellcheck={false}
          autocomplete="off"
          placeholder="metadata.model = 'gpt-4o' AND duration > 2   —  every path is a column"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            props.onInput?.(event.currentTarget.value);
            void complete();
          }}
          onKeyDown={keys}
          onScroll={align}
          onKeyUp={align}
          onClick={() => void complete()}
          onBlur={() => setTimeout(() => setOpen(false), 150)}
        />
      </div>
      {text !== props.value && <kbd>Enter</kbd>}
      {text && (
        <button class="btn plain small" aria-label="Clear the filter" onClick={() => props.onChange("")}>
          ✕
        </button>
      )}
      {open && (
        <ul class="options" role="listbox" id="filter-options" aria-label="Completions">
          {options.map((option, i) => (
            <li key={option.text} role="option" aria-selected={i === at} ref={(each) => void (i === at && each?.scrollIntoView?.({ block: "nearest" }))} onMouseDown={(event) => (event.preventDefault(), take(option))}>
              <span class="mono cut">{option.text}</span>
              <span class="muted">{option.hint}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const FUNCTIONS = ["search('…')", "match(input, '…')", "starts_with(…)", "is_root"];

export function pathOptions(paths: PathInfo[], prefix: string): Option[] {
  const wanted = prefix.toLowerCase();
  const rank = (path: string): number => {
    const text = path.toLowerCase();
    return text.startsWith(wanted) ? 0 : text.includes(wanted) ? 1 : 2;
  };
  const ranked = paths.map((each) => ({ each, rank: rank(each.path) })).filter((each) => each.rank < 2);
  ranked.sort((a, b) => a.rank - b.rank);
  const found: Option[] = ranked.slice(0, MOST_OPTIONS).map(({ each }) => ({ text: each.path, insert: each.path, hint: each.column ? typeWords(Object.keys(each.types)) : `${typeWords(Object.keys(each.types))} · ${count(each.rows)}` }));
  for (const name of FUNCTIONS) if (wanted && name.startsWith(wanted)) found.push({ text: name, insert: name.replace("…')", "").replace("…)", ""), hint: "function" });
  return found;
}

async function valueOptions(project: string, here: Caret, signal: AbortSignal): Promise<Option[]> {
  const values = await knownValues(project, here.path, signal);
  const wanted = here.prefix.toLowerCase();
  return values.filter((each) => String(each.value).toLowerCase().includes(wanted)).map((each) => ({ text: each.written, insert: each.written, hint: count(each.rows) }));
}
