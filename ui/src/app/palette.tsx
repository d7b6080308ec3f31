/** Ctrl+K: go to a page, a trace, another project; run what the page offers. */
import { computed, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { navigate, pageUrl, route } from "./location";
import { PAGES } from "./pages";
import { projects } from "./session";
import { setTheme } from "./theme";
import { keepInside } from "../parts/overlay";

export interface Command {
  label: string;
  hint?: string;
  run: () => void;
}

export const paletteOpen = signal(false);
const pageCommands = signal<{ current: Command[] }[]>([]);

/** Offers commands in the palette while a component is there. */
export function useCommands(commands: Command[]): void {
  const table = useRef(commands);
  table.current = commands;
  useEffect(() => {
    pageCommands.value = [...pageCommands.peek(), table];
    return () => {
      pageCommands.value = pageCommands.peek().filter((each) => each !== table);
    };
  }, []);
}

const standing = computed<Command[]>(() => {
  const project = route.value.project;
  const pages = PAGES.map((each) => ({ label: each.label, hint: each.about, run: () => navigate(pageUrl(project, each.page)) }));
  const others = (projects.value ?? [])
    .filter((each) => each.name !== project)
    .map((each) => ({ label: `Project ${each.name}`, hint: "switch", run: () => navigate(pageUrl(each.name, route.value.page || "traces")) }));
  const themes = (["light", "dark", "system"] as const).map((each) => ({ label: `Theme: ${each}`, hint: "look", run: () => setTheme(each) }));
  return [...pages, ...others, ...themes];
});

const TRACE_ID = /^[0-9a-f]{32}$/i;

/** Returns whether the letters of `wanted` stand in `text` in this order. */
export function fuzzy(text: string, wanted: string): boolean {
  let at = 0;
  for (const letter of wanted) {
    at = text.indexOf(letter, at) + 1;
    if (!at) return false;
  }
  return true;
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const before = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    before.current = document.activeElement as HTMLElement | null;
    box.current?.querySelector("input")?.focus();
    return () => before.current?.focus?.();
  }, []);
  const wanted = text.trim().toLowerCase();
  const every = [...pageCommands.value.flatMap((table) => table.current), ...standing.value];
  const found = every.filter((each) => fuzzy(`${each.label} ${each.hint ?? ""}`.toLowerCase(), wanted));
  found.sort((a, b) => Number(b.label.toLowerCase().startsWith(wanted)) - Number(a.label.toLowerCase().startsWith(wanted)));
  if (TRACE_ID.test(text.trim())) found.unshift({ label: `Open trace ${text.trim()}`, run: () => navigate(pageUrl(route.value.project, `trace/${text.trim().toLowerCase()}`)) });
  else if (wanted) found.push({ label: `Search all text for “${text.trim()}”`, hint: "Traces", run: () => navigate(pageUrl(route.value.project, "traces", { where: `search('${text.trim().replaceAll("'", "''")}')` })) });
  const close = () => (paletteOpen.value = false);
  const run = (command: Command | undefined) => {
    close();
    command?.run();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || (event.ctrlKey && event.key === "n")) setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp" || (event.ctrlKey && event.key === "p")) setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") run(found[at]);
    else return keepInside(event, box.current, close);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="veil" onMouseDown={(event) => event.target === event.currentTarget && close()}>
      <div class="dialog palette" role="dialog" aria-modal="true" aria-label="Go to" ref={box} onKeyDown={keys}>
        <input
          role="combobox"
          aria-label="Go to a page, a project or a trace"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={`palette-${at}`}
          placeholder="Go to a page, a project, a trace id, or search…"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
        />
        <ul role="listbox" id="palette-list" aria-label="Commands">
          {found.slice(0, 60).map((command, i) => (
            <li key={command.label} id={`palette-${i}`} role="option" aria-selected={i === at} onMouseMove={() => setAt(i)} onClick={() => run(command)} ref={(each) => void (i === at && each?.scrollIntoView?.({ block: "nearest" }))}>
              <span>{command.label}</span>
              {command.hint && <span class="muted">{command.hint}</span>}
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
