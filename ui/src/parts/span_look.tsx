/** How a span looks wherever it is named: the colour of its type and always a word beside it. */
export const TYPES = ["llm", "tool", "agent", "retriever", "chain", "embedding", "guardrail", "score"];
const LIKE: Record<string, string> = { reranker: "retriever", task: "chain", eval: "score", function: "chain" };

/** Returns the token of a type's colour. */
export const typeToken = (type: string | null | undefined): string => (type ? (TYPES.includes(type) ? type : (LIKE[type] ?? "other")) : "other");

export const TypeDot = ({ type }: { type: string | null | undefined }) => <span class="dot" style={{ "--c": `var(--${typeToken(type)})` }} title={type || "span"} role="img" aria-label={type || "span"} />;
