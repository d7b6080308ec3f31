/** Code in numbered lines: Enter keeps the indent, Tab indents, names are completed, and the line that failed is marked. */
import { useRef, useState } from "preact/hooks";

// What the sandbox has that scorers use most: docs/guide/sandbox.md lists all of it.
const BUILT_IN = "abs all any bool dict divmod enumerate filter float int isinstance len list map max min pow print range reversed round set sorted str sum tuple zip".split(" ");
const WORDS = "and assert break continue def elif else except False finally for from if import in is lambda None not or pass raise return True try while".split(" ");
const MODULES = "base64 collections datetime decimal functools itertools json math random re unicodedata".split(" ");
const MEMBERS: Record<string, string[]> = {
  re: "findall finditer fullmatch match search split sub".split(" "),
  json: ["dumps", "loads"],
  math: "ceil exp fabs floor isclose log sqrt".split(" "),
  collections: ["Counter", "defaultdict", "deque"],
};
const TEXT = "casefold count endswith find join lower replace split splitlines startswith strip upper".split(" ");
const MOST_OPTIONS = 12;

/** Returns what may follow at the end of a text: names of the code, keys of the case, members, words of the language. */
export function codeOptions(text: string, keys: string[]): { from: number; options: string[] } {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  const found = (prefix: string, all: string[]) => ({ from: text.length - prefix.length, options: [...new Set(all)].filter((each) => each.startsWith(prefix) && each !== prefix).slice(0, MOST_OPTIONS) });
  if (/#/.test(line.replace(/"[^"]*"|'[^']*'/g, ""))) return { from: text.length, options: [] };
  const key = /\[["']([\w ]*)$/.exec(line);
  if (key) return found(key[1]!, keys);
  const imported = /^\s*(?:import|from)\s+(\w*)$/.exec(line);
  if (imported) return found(imported[1]!, MODULES);
  const member = /(\w+)\.(\w*)$/.exec(line);
  if (member) return found(member[2]!, MEMBERS[member[1]!] ?? TEXT);
  const word = /(?<![\w.])([A-Za-z_]\w*)$/.exec(line)?.[1];
  if (!word) return { from: text.length, options: [] };
  const own = [...text.slice(0, -word.length).matchAll(/[A-Za-z_]\w*/g)].map((match) => match[0]);
  return found(word, ["input", "output", "expected", "metadata", ...own, ...BUILT_IN, ...WORDS]);
}

export function CodeField({ value, line, keys, onInput }: { value: string; line: number | null; keys: string[]; onInput: (text: string) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [options, setOptions] = useState<string[]>([]);
  const [at, setAt] = useState(0);
  const lines = value.split("\n").length;
  const look = () => {
    const area = field.current!;
    const after = area.value[area.selectionStart] ?? "";
    setAt(0);
    setOptions(area.selectionStart === area.selectionEnd && !/\w/.test(after) ? codeOptions(area.value.slice(0, area.selectionStart), keys).options : []);
  };
  const put = (text: string, from: number) => {
    const area = field.current!;
    area.setRangeText(text, from, area.selectionEnd, "end");
    onInput(area.value);
  };
  const take = (option: string) => {
    put(option, codeOptions(field.current!.value.slice(0, field.current!.selectionStart), keys).from);
    setOptions([]);
    field.current!.focus();
  };
  const typed = (event: KeyboardEvent) => {
    const area = field.current!;
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const before = area.value.slice(start, area.selectionStart);
    if (options.length && event.key === "ArrowDown") setAt((at + 1) % options.length);
    else if (options.length && event.key === "ArrowUp") setAt((at - 1 + options.length) % options.length);
    else if (options.length && event.key === "Tab") take(options[at]!);
    else if (options.length && event.key === "Escape") setOptions([]);
    else if (event.key === "Enter" && !event.ctrlKey) {
      setOptions([]);
      put(`\n${/^ */.exec(before)![0]}${/:\s*$/.test(before) ? "    " : ""}`, area.selectionStart);
    } else if (event.key === "Tab" && !event.shiftKey && before && !before.trim()) put("    ", area.selectionStart);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="play-code-box">
      <div class="play-code">
        <div class="play-numbers" aria-hidden="true">
          {Array.from({ length: lines }, (_, i) => (
            <div key={i} class={line === i + 1 ? "err" : ""}>
              {i + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={field}
          aria-label="Code of the scorer"
          aria-autocomplete="list"
          aria-controls={options.length ? "code-options" : undefined}
          aria-activedescendant={options.length ? `code-option-${at}` : undefined}
          spellcheck={false}
          wrap="off"
          rows={Math.max(12, lines + 1)}
          value={value}
          onInput={(event) => {
            onInput(event.currentTarget.value);
            look();
          }}
          onKeyDown={typed}
          onBlur={() => setTimeout(() => setOptions([]), 150)}
        />
      </div>
      {options.length > 0 && (
        <ul class="play-completions" role="listbox" id="code-options" aria-label="Completions; Tab takes one">
          {options.map((option, i) => (
            <li key={option} id={`code-option-${i}`} role="option" aria-selected={i === at} onMouseDown={(event) => (event.preventDefault(), take(option))}>
              {option}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
