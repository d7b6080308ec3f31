/** A request that the server refused, or a server that cannot be reached. */
export class TracestoreError extends Error {
  override readonly name: string = "TracestoreError";

  /**
   * @param status the answer's status, undefined where there was none
   * @param hint what to do about it, where the server says so
   */
  constructor(
    message: string,
    readonly status?: number,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An eval that cannot be run as asked, or whose results could not all be stored. */
export class EvalError extends TracestoreError {
  override readonly name = "EvalError";
}

/** Returns what an error says, with its kind. */
export function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message ? `${error.name}: ${error.message}` : error.name;
}
