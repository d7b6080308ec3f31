/** The pages there are, in the order of the navigation. */
export interface PageInfo {
  page: string;
  label: string;
  key?: string;
  about: string;
}

export const PAGES: PageInfo[] = [
  { page: "traces", label: "Traces", key: "t", about: "what the applications reported" },
  { page: "ask", label: "Ask", key: "a", about: "SQL over everything" },
  { page: "boards", label: "Boards", key: "b", about: "charts that stay" },
  { page: "experiments", label: "Experiments", key: "e", about: "runs of evals, compared" },
  { page: "datasets", label: "Datasets", key: "d", about: "versioned cases" },
  { page: "review", label: "Review", key: "r", about: "score and label samples" },
  { page: "alerts", label: "Alerts", key: "l", about: "queries that watch" },
];

export const SETTINGS: PageInfo = { page: "settings", label: "Settings", key: "s", about: "projects, keys, storage" };
