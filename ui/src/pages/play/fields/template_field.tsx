/** A text with variables: `{{` offers the paths of the rows, what no row has is underlined; it is as tall as its text. */
import { useRef, useState } from "preact/hooks";

export interface Variable {
  path: string;
  sample: string;
}

const MOST_OPTIONS = 40;
const TAG = /\{\{\{?[#^/&!]?\s*([\w.-]*)\s*\}?\}\}/g;

/** Returns a template in parts: texts, and tags with whether each names something that is known. */
export function partsOf(text: string, known: ReadonlySet<string>): { text: string; kind: "text" | "tag" | "unknown" }[] {
  const found: { text: string; kind: "text" | "tag" | "unknown" }[] = [];
  let at = 0;
  let depth = 0; // inside a section names are those of its item
  for (const match of text.matchAll(TAG)) {
    if (match.index > at) found.push({ text: text.slice(at, match.index), kind: "text" });
    const name = match[1]!;
    const section = match[0].includes("#") || match[0].includes("^");
    const end = match[0].startsWith("{{/");
    if (end) depth = Math.max(0, depth - 1);
    const wrong = !end && !match[0].startsWith("{{!") && name !== "." && !depth && known.size > 0 && !known.has(name);
    if (section) depth++;
    found.push({ text: match[0], kind: wrong ? "unknown" : "tag" });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ text: text.slice(at), kind: "text" });
  return found;
}

/** Returns what is typed of a variable before a place, null where none is. */
export function openTag(text: string, place: number): { from: number; prefix: string } | null {
  const match = /\{\{\{?[#^&]?\s*([\w.-]*)$/.exec(text.slice(Math.max(0, place - 200), place));
  return match ? { from: place - match[1]!.length, prefix: match[1]! } : null;
}

export function TemplateField(props: { label: string; value: string; variables: Variable[]; plain?: boolean; readOnly?: boolean; placeholder?: string; autofocus?: boolean; onInput: (text: string) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [options, setOptions] = useState<Variable[]>([]);
  const [at, setAt] = useState(0);
  const known = new Set(props.variables.map((each) => each.path));
  const look = () => {
    const area = field.current!;
    const tag = props.plain ? null : openTag(area.value, area.selectionStart);
    if (!tag || area.selectionStart !== area.selectionEnd) return setOptions([]);
    const wanted = tag.prefix.toLowerCase();
    const found = props.variables.filter((each) => each.path.toLowerCase().includes(wanted) && each.path !== tag.prefix);
    found.sort((a, b) => Number(b.path.toLowerCase().startsWith(wanted)) - Number(a.path.toLowerCase().startsWith(wanted)));
    setAt(0);
    setOptions(found.slice(0, MOST_OPTIONS));
  };
  const take = (option: Variable) => {
    const area = field.current!;
    const tag = openTag(area.value, area.selectionStart);
    if (!tag) return;
    const rest = area.value.slice(area.selectionStart);
    const close = /^\s*\}\}/.test(rest) ? "" : "}}";
    area.setRangeText(option.path + close, tag.from, area.selectionStart, "end");
    props.onInput(area.value);
    setOptions([]);
    area.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (!options.length) return;
    if (event.key === "ArrowDown") setAt((at + 1) % options.length);
    else if (event.key === "ArrowUp") setAt((at - 1 + options.length) % options.length);
    else if (event.key === "Enter" || event.key === "Tab") take(options[at]!);
    else if (event.key === "Escape") setOptions([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const listId = `vars-${props.label.replace(/\W+/g, "-")}`;
  return (
    <div class="template">
      <div class="template-mirror" aria-hidden="true">
        {props.plain ? props.value : partsOf(props.value, known).map((part, i) => (part.kind === "text" ? part.text : <span key={i} class={part.kind === "tag" ? "tag" : "tag unknown"}>{part.text}</span>))}
        {"\u200b"}
      </div>
      <textarea
        ref={field}
        aria-label={props.label}
        aria-autocomplete="list"
        aria-controls={options.length ? listId : undefined}
        aria-activedescendant={options.length ? `${listId}-${at}` : undefined}
        rows={1}
        spellcheck={false}
        readOnly={props.readOnly}
        placeholder={props.placeholder}
        autofocus={props.autofocus}
        value={props.value}
        onInput={(event) => {
          props.onInput(event.currentTarget.value);
          look();
        }}
        onKeyDown={keys}
        onClick={look}
        onBlur={() => setTimeout(() => setOptions([]), 150)}
      />
      {options.length > 0 && (
        <ul class="options" role="listbox" id={listId} aria-label="Variables">
          {options.map((option, i) => (
            <li key={option.path} id={`${listId}-${i}`} role="option" aria-selected={i === at} ref={(each) => void (i === at && each?.scrollIntoView?.({ block: "nearest" }))} onMouseDown={(event) => (event.preventDefault(), take(option))}>
              <span class="mono">{option.path}</span>
              <span class="muted cut">{option.sample}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
