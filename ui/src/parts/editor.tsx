/** The SQL editor: CodeMirror with completion of tables, paths and values. It lives in a shadow root, where its styles may be added by script. */
import { autocompletion, closeBrackets, completionKeymap, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { sql, SQLDialect } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import { count } from "../format";
import { knownPaths, knownValues, typeWords } from "./completion";
import { caretAt, KEYWORDS } from "./sql_text";

const TABLES: [string, string][] = [
  ["spans", "one row a span"],
  ["traces", "one row a trace"],
  ["logs", "one row a log record"],
  ["experiments", "one row an experiment"],
  ["datasets", "versioned cases"],
  ["projects", "projects"],
  ["paths", "every path with its types"],
  ["segments", "files of the store"],
  ["experiment('')", "spans of an experiment"],
  ["dataset('')", "rows of a dataset"],
  ["compare('', '')", "experiments case by case"],
];
const FUNCTIONS = "count sum avg min max median quantile_cont date_trunc time_bucket coalesce left lower upper search match typeof unnest arg_max arg_min any_value string_agg list approx_count_distinct round floor".split(" ");

const dialect = SQLDialect.define({ keywords: [...KEYWORDS].join(" "), types: "varchar bigint double boolean timestamptz timestamp date interval json", doubleDollarQuotedStrings: false, hashComments: false, operatorChars: "*+-%<>!=&|~^/", identifierQuotes: '"' });

const look = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--sql-key)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--sql-text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--sql-number)" },
  { tag: [tags.name, tags.propertyName], color: "var(--sql-path)" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: tags.typeName, color: "var(--sql-number)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", background: "var(--surface)", color: "var(--ink)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--ink)" },
  ".cm-gutters": { background: "var(--surface)", color: "var(--ink-3)", border: "none", paddingLeft: "8px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--bar)" },
  ".cm-tooltip": { background: "var(--raised)", border: "none", boxShadow: "var(--shadow)", borderRadius: "6px", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "260px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--select)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal", fontFamily: "var(--font)", marginLeft: "14px" },
  ".cm-completionIcon": { display: "none" },
  ".cm-placeholder": { color: "var(--ink-3)" },
  ".cm-matchingBracket": { background: "var(--select) !important" },
  ".cm-error": { background: "var(--bad-bg)", textDecoration: "underline wavy var(--bad)" },
});

interface Mark {
  from: number;
  to: number;
  message: string;
}

/** Marks a part of the text as wrong, or nothing; the mark moves with the text and says why under the pointer. */
const marking = StateEffect.define<Mark | null>();
const marked = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, change) => {
    const mark = change.effects.find((effect) => effect.is(marking))?.value as Mark | null | undefined;
    if (mark === undefined) return marks.map(change.changes);
    if (!mark || mark.to <= mark.from) return Decoration.none;
    return Decoration.set(Decoration.mark({ class: "cm-error", attributes: { title: mark.message } }).range(mark.from, mark.to));
  },
  provide: (field) => EditorView.decorations.from(field),
});

export interface ErrorPlace {
  message: string;
  line: number;
  column: number;
}

export default function Editor(props: { project: string; /** Its text to begin with, and again when this changes; what is typed goes to onChange alone. */ value: string; onChange: (text: string) => void; onRun: () => void; error: ErrorPlace | null; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    root.replaceChildren();
    const editor = new EditorView({
      root,
      parent: root as unknown as HTMLElement,
      state: EditorState.create({
        doc: props.value,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          bracketMatching(),
          closeBrackets(),
          sql({ dialect }),
          syntaxHighlighting(look),
          marked,
          theme,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": props.label }),
          placeholder("SELECT … FROM spans      Ctrl+Enter runs it"),
          autocompletion({ override: [(context) => complete(context, latest.current.project)], icons: false }),
          keymap.of([{ key: "Mod-Enter", run: () => (latest.current.onRun(), true) }, { key: "Escape", run: (each) => (each.contentDOM.blur(), true) }, ...completionKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
          EditorView.updateListener.of((update) => update.docChanged && latest.current.onChange(update.state.doc.toString())),
          EditorView.domEventHandlers({ beforeinput: typedOver }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, []);
  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== props.value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value } });
  }, [props.value]);
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const error = props.error;
    if (!error) return editor.dispatch({ effects: marking.of(null) });
    const line = editor.state.doc.line(Math.min(Math.max(1, error.line), editor.state.doc.lines));
    const to = Math.min(line.to, line.from + Math.max(1, error.column));
    const word = /\w+$/.exec(line.text.slice(0, to - line.from))?.[0].length ?? 1;
    editor.dispatch({ effects: marking.of({ from: Math.max(line.from, to - word), to: Math.max(to, Math.min(line.to, line.from + 1)), message: error.message }) });
  }, [props.error]);
  return <div class="cm-host" ref={host} />;
}

/** Replaces a selection by what is typed over it; the browser's own way writes inline styles, which the page's policy forbids. */
function typedOver(event: InputEvent, view: EditorView): boolean {
  if (event.inputType !== "insertText" || !event.data || view.composing || view.state.selection.main.empty) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type" });
  return true;
}

async function complete(context: CompletionContext, project: string): Promise<CompletionResult | null> {
  const text = context.state.sliceDoc(0, context.pos);
  const here = caretAt(text, text.length);
  if (here.kind === "none") return null;
  if (here.kind === "value") {
    const values = await knownValues(project, here.path).catch(() => []);
    return { from: here.from, options: values.map((each) => ({ label: each.written, detail: count(each.rows), type: "text" })), filter: true };
  }
  if (!context.explicit && !here.prefix) return null;
  const before = text.slice(0, here.from).trimEnd().toLowerCase();
  const tables = /\b(from|join|,)$/.test(before);
  const paths = await knownPaths(project).catch(() => []);
  const options = [
    ...TABLES.map(([label, detail]) => ({ label, detail, boost: tables ? 50 : -20 })),
    ...paths.slice(0, 3000).map((each, i) => ({ label: each.path, detail: typeWords(Object.keys(each.types)), boost: tables ? -60 : 20 - Math.min(40, i / 20) })),
    ...FUNCTIONS.map((label) => ({ label, detail: "function", boost: -10, apply: `${label}(` })),
    ...[...KEYWORDS].map((label) => ({ label: label.toUpperCase(), boost: -30 })),
  ];
  return { from: here.from, options, validFor: /^[\w."[\]]*$/ };
}
