/** Asynchronous data of a page: loaded when its key changes, cancelled when the page moves on, asked again when the server is back. */
import { useEffect, useRef, useState } from "preact/hooks";
import { aborted } from "../api/http";

export interface Loaded<T> {
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/** Loads `work` whenever `key` changes; null loads nothing. What was loaded stays shown until the next is there. */
export function useLoad<T>(key: string | null, work: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string | null; data: T | null; error: unknown; loading: boolean }>({ key: null, data: null, error: null, loading: key !== null });
  const [turn, setTurn] = useState(0);
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    if (key === null) {
      setState({ key, data: null, error: null, loading: false });
      return;
    }
    const control = new AbortController();
    setState((before) => ({ ...before, loading: true, error: null }));
    latest.current(control.signal).then(
      (data) => !control.signal.aborted && setState({ key, data, error: null, loading: false }),
      (error) => !control.signal.aborted && !aborted(error) && setState((before) => ({ ...before, key, error, loading: false })),
    );
    const again = () => setTurn((n) => n + 1);
    window.addEventListener("server-back", again);
    return () => {
      control.abort();
      window.removeEventListener("server-back", again);
    };
  }, [key, turn]);
  return { data: state.data, error: state.error, loading: state.loading, reload: () => setTurn((n) => n + 1) };
}
