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
  { page: "boards", label: "Boards", key: "b", about: "charts that everybody looks at" },
  { page: "experiments", label: "Experiments", key: "e", about: "runs of evals, compared" },
  { page: "datasets", label: "Datasets", key: "d", about: "versioned cases" },
  { page: "play", label: "Play", key: "p", about: "prompts, models and scorers tried on real rows" },
  { page: "review", label: "Review", key: "r", about: "queues of spans that people score" },
  { page: "alerts", label: "Alerts", key: "l", about: "what is watched, and who is told" },
  { page: "settings", label: "Settings", key: ",", about: "retention, keys, paths, storage" },
];
