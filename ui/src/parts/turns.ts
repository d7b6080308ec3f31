/** Turns for work that many parts of a page want at once: a few run, the others wait, and one that is not wanted any more goes. */

const AT_ONCE = 4; // statements of a page: the server runs eight for everybody
const waiting: (() => void)[] = [];
let running = 0;

export async function inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  running++;
  try {
    if (signal.aborted) throw new DOMException("not wanted any more", "AbortError");
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}
