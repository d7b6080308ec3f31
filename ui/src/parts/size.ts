/** The size of an element, so that what is drawn on a canvas is drawn anew when the window changes. */
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Returns "WIDTH×HEIGHT" of an element, which changes when it does. */
export function useSize(element: RefObject<HTMLElement | null>): string {
  const [size, setSize] = useState("");
  useEffect(() => {
    const watched = element.current;
    if (!watched) return;
    const observer = new ResizeObserver(() => setSize(`${watched.clientWidth}×${watched.clientHeight}`));
    observer.observe(watched);
    return () => observer.disconnect();
  }, [element.current]);
  return size;
}
