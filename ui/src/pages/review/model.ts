/** What a review queue is: which spans, what is asked of each, and where it is written. */
import { keysOf, pathOf, quoted, type Row } from "../../api/query";

export interface Question {
  name: string;
  labels: string[]; // none: a score from 0 to 1
}

export interface Queue {
  where: string; // of spans, as in Traces
  questions: Question[];
  dataset: string | null; // where a reviewed span becomes a case
}

export type Answers = Record<string, number | string>;

export interface Review {
  at: number; // milliseconds since 1970
  answers: Answers;
}

export function asQueue(value: unknown): Queue {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<Queue>;
  const questions = (Array.isArray(given.questions) ? given.questions : []).flatMap((each): Question[] => (typeof each?.name === "string" && each.name ? [{ name: each.name, labels: Array.isArray(each.labels) ? each.labels.map(String) : [] }] : []));
  return { where: typeof given.where === "string" ? given.where : "", questions, dataset: typeof given.dataset === "string" && given.dataset ? given.dataset : null };
}

/** Returns the path below which a queue's reviews stand, one key a reviewer. */
export const reviewsPath = (queueId: string, ...more: string[]): string => pathOf([...keysOf("metadata.reviews"), queueId, ...more]);

const isRoot = (queue: Queue): string => (queue.where.trim() ? (/\bor\b/i.test(queue.where) ? `(${queue.where})` : queue.where) : "is_root");

export const NEXT = 25; // items read at once

/** Returns the statement of the items that a reviewer has not answered, newest first. */
export const waitingSql = (queue: Queue, id: string, who: string, project: string): string =>
  `SELECT trace_id, span_id\nFROM spans\nWHERE project = ${quoted(project)} AND ${isRoot(queue)} AND ${reviewsPath(id, who, "at")} IS NULL\nORDER BY start_ns DESC\nLIMIT ${NEXT}`;

export const countSql = (queue: Queue, id: string, who: string, project: string): string =>
  `SELECT count(*) AS items, count(${reviewsPath(id, who, "at")}) AS mine\nFROM spans\nWHERE project = ${quoted(project)} AND ${isRoot(queue)}`;

const MOST_REVIEWED = 5000; // items whose answers are compared

export const reviewedSql = (queue: Queue, id: string, project: string): string =>
  `SELECT ${reviewsPath(id)} AS reviews\nFROM spans\nWHERE project = ${quoted(project)} AND ${isRoot(queue)} AND ${reviewsPath(id)} IS NOT NULL\nORDER BY start_ns DESC\nLIMIT ${MOST_REVIEWED}`;

export interface Agreement {
  question: string;
  pairs: number;
  share: number; // of pairs of answers that agree
}

const NEAR = 0.13; // scores this near to each other agree: one step of the nine keys

/** Returns how far reviewers agree, by question: over every pair of answers to one item. */
export function agreement(queue: Queue, rows: Row[]): Agreement[] {
  return queue.questions.map(({ name }) => {
    let pairs = 0;
    let same = 0;
    for (const row of rows) {
      const answers = Object.values((row.reviews as Record<string, Review> | null) ?? {})
        .map((review) => review?.answers?.[name])
        .filter((answer) => answer !== undefined && answer !== null);
      for (let i = 0; i < answers.length; i++)
        for (let k = i + 1; k < answers.length; k++) {
          pairs++;
          const [a, b] = [answers[i]!, answers[k]!];
          if (typeof a === "number" && typeof b === "number" ? Math.abs(a - b) <= NEAR : a === b) same++;
        }
    }
    return { question: name, pairs, share: pairs ? same / pairs : 0 };
  });
}

/** Returns who reviewed how many items. */
export function byReviewer(rows: Row[]): [string, number][] {
  const found = new Map<string, number>();
  for (const row of rows) for (const who of Object.keys((row.reviews as Row | null) ?? {})) found.set(who, (found.get(who) ?? 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1]);
}

/** Returns the change of a span that a review is. */
export function patchOf(queue: Queue, id: string, who: string, span: { trace_id: string; span_id: string }, given: { answers: Answers; expected?: unknown; comment: string }, now: number): Row {
  const scores: Row = {};
  const labels: Row = {};
  for (const { name, labels: known } of queue.questions) {
    const answer = given.answers[name];
    if (answer === undefined) continue;
    if (known.length) labels[name] = answer;
    else scores[name] = answer;
  }
  return {
    ...span,
    ...(Object.keys(scores).length ? { scores } : {}),
    metadata: { reviews: { [id]: { [who]: { at: now, answers: given.answers } } }, ...(Object.keys(labels).length ? { labels } : {}) },
    ...(given.expected !== undefined ? { expected: given.expected } : {}),
    ...(given.comment.trim() ? { comment: given.comment.trim(), author: who } : {}),
  };
}
