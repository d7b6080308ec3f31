/** JSON whose integers keep every digit: beyond 2^53 they are bigint, in both directions. */

export type Json = string | number | bigint | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Stands before digits while they are a string; drawn anew, so that no stored text can spell it. */
const mark = `bigint-${Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-")}:`;

const MARKED = new RegExp(`"${mark}(-?\\d+(?:\\.0)?)"`, "g");
/** A string, or an integer of 16 digits or more that is no part of a longer number. */
const STRING_OR_LONG = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;

export function parse(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const marked = text.replace(STRING_OR_LONG, (token) => (token.startsWith('"') ? token : `"${mark}${token}"`));
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith(mark)) return value;
    const exact = BigInt(value.slice(mark.length));
    const number = Number(exact);
    return Number.isSafeInteger(number) ? number : exact;
  });
}

/** A number that is written with a point, so that the store keeps it as a double whatever its value. */
export class Double {
  constructor(readonly value: number) {}

  toJSON(): number | string {
    return Number.isInteger(this.value) && Math.abs(this.value) < 1e15 ? `${mark}${this.value}.0` : this.value;
  }
}

/** Returns a value as JSON text; undefined where it has none, as `JSON.stringify` does. */
export function stringify(value: unknown): string | undefined {
  const text: string | undefined = JSON.stringify(value, (_, each: unknown) =>
    typeof each === "bigint" ? `${mark}${each}` : each,
  );
  return text?.includes(mark) ? text.replace(MARKED, "$1") : text;
}
