/** Saving a statement. */
export const CAN_SAVE: boolean = false;

export function SaveQuery(_: { project: string; sql: string; kind: string; onClose: () => void }) {
  return null;
}
