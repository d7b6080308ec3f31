/** Numbers and times as people read them; the exact value is what `title` shows. */
import { Exact } from "./api/exact";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (value: number): string => whole.format(value);

export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return whole.format(value);
  const size = Math.abs(value);
  if (size >= 1000) return whole.format(value);
  if (size >= 100) return value.toFixed(1);
  if (size >= 0.01) return String(Number(value.toPrecision(3)));
  return size >= 1e-6 ? value.toFixed(6).replace(/0+$/, "") : value.toExponential(2);
}

/** Returns a score with as many digits as its neighbours have, so that they stand below each other. */
export const scored = (value: number, digits = 2): string => (Math.abs(value) < 1000 ? value.toFixed(digits) : whole.format(value));

/** Returns nanoseconds as a duration: 41 ms, 1.2 s, 3 min 04 s. */
export function duration(ns: number): string {
  const us = ns / 1e3;
  if (us < 1) return `${Math.round(ns)} ns`;
  if (us < 1000) return `${us < 10 ? us.toFixed(1) : Math.round(us)} µs`;
  const ms = us / 1e3;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const s = ms / 1e3;
  if (s < 59.95) return `${s < 9.995 ? s.toFixed(2) : s.toFixed(1)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const exactDuration = (ns: number): string => `${whole.format(ns)} ns`;

export function cost(value: number): string {
  if (value === 0) return "$0";
  if (Math.abs(value) < 0.0001) return value > 0 ? "<$0.0001" : `$${value.toExponential(1)}`;
  if (Math.abs(value) >= 100) return `$${whole.format(value)}`;
  if (Math.abs(value) >= 0.995) return `$${value.toFixed(2)}`;
  if (Math.abs(value) >= 0.01) return `$${value.toFixed(3)}`;
  return `$${value.toPrecision(2)}`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let size = value;
  while (size >= 999.5 && at < units.length - 1) {
    size /= 1000;
    at++;
  }
  return `${at === 0 || size >= 99.5 ? Math.round(size) : size.toPrecision(2)} ${units[at]}`;
}

export const share = (part: number): string => (part > 0 && part < 0.005 ? "<1 %" : `${Math.round(part * 100)} %`);

const two = (value: number): string => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Returns a day without its year. */
export const day = (time: Date): string => `${time.getDate()} ${MONTHS[time.getMonth()]}`;

export const clock = (time: Date): string => `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;

/** Returns a time in the browser's zone: the clock today, the day and the clock before. */
export function when(ms: number, now = Date.now()): string {
  const time = new Date(ms);
  const today = new Date(now);
  const sameDay = time.toDateString() === today.toDateString();
  if (sameDay) return clock(time);
  return time.getFullYear() === today.getFullYear() ? `${day(time)} ${two(time.getHours())}:${two(time.getMinutes())}` : `${day(time)} ${time.getFullYear()}`;
}

export function utc(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "" : `${time.toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

export function ago(ms: number, now = Date.now()): string {
  const s = Math.max(0, (now - ms) / 1000);
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

/** Returns any value as one line of text. */
export function oneLine(value: unknown, most = 400): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : typeof value === "object" && !(value instanceof Exact) ? JSON.stringify(value) : String(value);
  const cut = text.length > most * 2 ? text.slice(0, most * 2) : text;
  return cut.replace(/\s+/g, " ").trim().slice(0, most);
}

/** Returns how many segments a statement opened of those that there are. */
export const segmentsRead = (read: number, pruned: number): string => (read + pruned ? `${count(read)} of ${plural(read + pruned, "segment")}` : "all in memory");

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
