/** SQL as text: its tokens for colour, the terms of a condition for the mouse to edit, and what stands before the caret. */

export type TokenKind = "space" | "text" | "number" | "key" | "path" | "other" | "note";
export interface Token {
  kind: TokenKind;
  text: string;
  at: number;
}

const PATTERN = /(\s+)|('(?:[^']|'')*'?)|(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|((?:[A-Za-z_]\w*|"(?:[^"]|"")*"?)(?:\.(?:[A-Za-z_]\w*|"(?:[^"]|"")*"?)|\[\s*(?:-?\d+|'(?:[^']|'')*')\s*\])*\.?)|([\s\S])/g;
const KINDS: TokenKind[] = ["space", "text", "note", "number", "path", "other"];
export const KEYWORDS = new Set(
  "all and any as asc between by case cast count cross desc distinct else end escape except exists false filter first from full group having ilike in inner intersect interval is join last lateral left like limit not null nulls offset on or order outer over partition qualify right sample select similar then to true union unnest using values when where window with".split(" "),
);

export function tokens(sql: string): Token[] {
  const found: Token[] = [];
  for (const match of sql.matchAll(PATTERN)) {
    const group = match.slice(1).findIndex((each) => each !== undefined);
    let kind = KINDS[group] ?? "other";
    if (kind === "path" && KEYWORDS.has(match[0].toLowerCase())) kind = "key";
    found.push({ kind, text: match[0], at: match.index });
  }
  return found;
}

/** Returns the terms that a condition joins by AND at its top; a condition with OR at its top is one term. */
export function terms(where: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  let between = 0;
  let nested = 0; // CASE … END
  for (const token of tokens(where)) {
    const word = token.text.toLowerCase();
    if (token.text === "(" || token.text === "[" || token.text === "{") depth++;
    else if (token.text === ")" || token.text === "]" || token.text === "}") depth--;
    else if (token.kind === "key" && word === "case") nested++;
    else if (token.kind === "key" && word === "end") nested--;
    if (depth || nested || token.kind !== "key") continue;
    if (word === "or") return [where.trim()];
    if (word === "between") between++;
    else if (word === "and") {
      if (between) between--;
      else {
        found.push(where.slice(start, token.at).trim());
        start = token.at + token.text.length;
      }
    }
  }
  found.push(where.slice(start).trim());
  return found.filter(Boolean);
}

const hasOr = (text: string): boolean => {
  let depth = 0;
  return tokens(text).some((token) => {
    if (token.text === "(") depth++;
    if (token.text === ")") depth--;
    return depth === 0 && token.kind === "key" && token.text.toLowerCase() === "or";
  });
};

export const joined = (parts: string[]): string => (parts.length > 1 ? parts.map((each) => (hasOr(each) ? `(${each})` : each)) : parts).join(" AND ");

const same = (a: string, b: string): boolean => a.replace(/\s+/g, " ").trim() === b.replace(/\s+/g, " ").trim();

export const hasTerm = (where: string, term: string): boolean => terms(where).some((each) => same(each, term));

/** Returns a condition with a term more, or without it where it has it. */
export function toggled(where: string, term: string): string {
  const before = terms(where);
  return hasTerm(where, term) ? joined(before.filter((each) => !same(each, term))) : joined([...before, term]);
}

/** Returns the values that a condition allows at a path, as they are written: of `path = 'a'` or `path IN ('a', 'b')`. */
export function chosen(where: string, path: string): string[] {
  for (const term of terms(where)) {
    if (!term.startsWith(path)) continue;
    const rest = term.slice(path.length).trim();
    const one = /^=\s*([\s\S]+)$/.exec(rest);
    if (one && !hasOr(rest)) return [one[1]!.trim()];
    const many = /^in\s*\(([\s\S]*)\)$/i.exec(rest);
    if (many) return listed(many[1]!);
  }
  return [];
}

function listed(text: string): string[] {
  const found: string[] = [];
  let current = "";
  for (const token of tokens(text)) {
    if (token.text === ",") {
      found.push(current.trim());
      current = "";
    } else current += token.text;
  }
  return [...found, current.trim()].filter(Boolean);
}

/** Returns a condition in which a path may have one value more, or one less. */
export function choose(where: string, path: string, written: string): string {
  const now = chosen(where, path);
  const next = now.includes(written) ? now.filter((each) => each !== written) : [...now, written];
  const others = terms(where).filter((term) => !(term.startsWith(path) && /^\s*(=|in\s*\()/i.test(term.slice(path.length)) && now.length));
  const term = next.length === 0 ? null : next.length === 1 ? `${path} = ${next[0]}` : `${path} IN (${next.join(", ")})`;
  return joined(term ? [...others, term] : others);
}

export interface Caret {
  kind: "path" | "value" | "none";
  prefix: string; // what is typed of it
  from: number; // where it begins
  path: string; // of a value, the path it is compared with
}

/** Returns what stands before the caret: a path being typed, or a value compared with a path. */
export function caretAt(sql: string, caret: number): Caret {
  const before = tokens(sql.slice(0, caret));
  const last = before[before.length - 1];
  const words = before.filter((token) => token.kind !== "space" && token.kind !== "note");
  const none: Caret = { kind: "none", prefix: "", from: caret, path: "" };
  const compared = (upTo: number): string | null => {
    let at = upTo;
    while (at >= 0 && (/^[,(]$/.test(words[at]!.text) || words[at]!.kind === "text" || words[at]!.kind === "number")) at--;
    const operator = words[at];
    if (!operator || !(/^[=<>!]$/.test(operator.text) || /^(in|like|ilike)$/i.test(operator.text))) return null;
    while (at >= 0 && (/^[=<>!]$/.test(words[at]!.text) || /^(in|like|ilike|not)$/i.test(words[at]!.text))) at--;
    return words[at]?.kind === "path" ? words[at]!.text : null;
  };
  if (!last) return { kind: "path", prefix: "", from: 0, path: "" };
  if (last.kind === "text") {
    if (/^'(?:[^']|'')*'$/.test(last.text) && last.text.length > 1) return none;
    const path = compared(words.length - 2);
    return path ? { kind: "value", prefix: last.text.slice(1), from: last.at, path } : none;
  }
  if (last.kind === "path" || last.kind === "key") return { kind: "path", prefix: last.text, from: last.at, path: "" };
  if (last.kind === "space" || last.text === "(" || last.text === "=") {
    const end = words[words.length - 1]?.kind;
    const path = end === "text" || end === "number" ? null : compared(words.length - 1);
    if (path) return { kind: "value", prefix: "", from: caret, path };
    const word = words[words.length - 1];
    if (!word || word.kind === "key" || word.text === "(") return { kind: "path", prefix: "", from: caret, path: "" };
  }
  return none;
}
