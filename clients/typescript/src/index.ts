export * from "./browser.js";
export { dataset } from "./cases.js";
export type { Case, CaseResult, Data, DatasetRef, Score, Scored, Scorer, Task, TaskContext } from "./cases.js";
export { Eval } from "./eval.js";
export type { EvalOptions, EvalResult, ScoreSummary } from "./eval.js";
export { init } from "./init.js";
export type { InitOptions, Tracing } from "./init.js";
export { currentSpan, Span, spanProcessor, traced } from "./spans.js";
export type { SpanFields, TracedOptions } from "./spans.js";
