/** Rows that exist only while they are seen: lists of any length scroll in constant time. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";

export interface Virtual {
  items: VirtualItem[];
  /** Names one of as many places as rows are there at once: a row that comes takes the elements of one that went. */
  slot: (index: number) => number;
  slots: number;
  total: number;
  scrollTo: (index: number) => void;
  measure: (element: Element | null) => void;
}

export interface VirtualOptions {
  count: number;
  size: number | ((index: number) => number);
  scroller: () => HTMLElement | null;
  measured?: boolean;
  overscan?: number;
}

export function useVirtual(options: VirtualOptions): Virtual {
  const [, again] = useReducer<number, void>((n) => n + 1, 0);
  const size = options.size;
  const settings = {
    count: options.count,
    estimateSize: typeof size === "number" ? () => size : size,
    getScrollElement: options.scroller,
    overscan: options.overscan ?? 8,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    initialRect: { width: 800, height: 800 },
    onChange: (_: unknown, sync: boolean) => (sync ? again() : requestAnimationFrame(() => again())),
  };
  const kept = useRef<Virtualizer<HTMLElement, Element> | null>(null);
  kept.current ??= new Virtualizer<HTMLElement, Element>(settings);
  const virtual = kept.current;
  virtual.setOptions(settings);
  const places = useRef(1);
  useLayoutEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => virtual._willUpdate());
  const items = virtual.getVirtualItems();
  places.current = Math.max(places.current, items.length);
  return {
    items,
    slot: (index) => index % places.current,
    slots: places.current,
    total: virtual.getTotalSize(),
    scrollTo: (index) => virtual.scrollToIndex(index, { align: "auto" }),
    measure: options.measured ? virtual.measureElement : () => {},
  };
}
