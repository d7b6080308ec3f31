/** Saved views: a page's state by a name, for everybody of the project. */
export function SavedViews(_: { project: string }) {
  return null;
}
