/** JSON whose whole numbers keep every digit: nanoseconds, hashes and ids are larger than a number of the browser holds. */

const rawJson = (JSON as { rawJSON?: (text: string) => unknown }).rawJSON; // in browsers since 2025

/** A whole number beyond 2^53. It reads and is written digit by digit; arithmetic takes the nearest number. */
export class Exact {
  constructor(readonly digits: string) {}

  valueOf(): number {
    return Number(this.digits);
  }

  toString(): string {
    return this.digits;
  }

  toJSON(): unknown {
    return rawJson ? rawJson(this.digits) : Number(this.digits);
  }
}

/** Returns a text's value. A browser that does not tell the source of a number rounds it, as JSON.parse does. */
export function exactJson(text: string): unknown {
  // Most answers hold no such number, and are read several times as fast without a look at each value.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, ((_: string, value: unknown, context?: { source?: string }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value) || !context?.source) return value;
    return /^-?\d+$/.test(context.source) ? new Exact(context.source) : value;
  }) as (key: string, value: unknown) => unknown);
}
