/** Which page the URL names; pages but TRACES and TRACE are loaded when they are opened first. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { keyWanted } from "../api/http";
import { Failure, State, Waiting } from "../parts/states";
import { keepProject, lastProject, loadSession, projects, session, sessionError } from "./session";
import { navigate, pageUrl, params, route } from "./location";
import { Shell, SignIn } from "./shell";

type Page = ComponentType<{ project: string; rest: string[] }>;
const LOADERS: Record<string, () => Promise<Page>> = {
  traces: () => import("../pages/traces/page").then((m) => m.TracesPage),
  trace: () => import("../pages/trace/page").then((m) => m.TracePage),
  ask: () => import("../pages/ask/page").then((m) => m.AskPage),
  experiments: () => import("../pages/experiments/page").then((m) => m.ExperimentsPage),
  play: () => import("../pages/play/page").then((m) => m.PlayPage),
  datasets: () => import("../pages/datasets/page").then((m) => m.DatasetsPage),
  boards: () => import("../pages/boards/page").then((m) => m.BoardsPage),
  review: () => import("../pages/review/page").then((m) => m.ReviewPage),
  alerts: () => import("../pages/alerts/page").then((m) => m.AlertsPage),
  settings: () => import("../pages/settings/page").then((m) => m.SettingsPage),
  compare: () => import("../pages/compare/page").then((m) => m.ComparePage),
};

export function App() {
  useEffect(() => {
    void loadSession();
    const again = () => void loadSession();
    const go = (event: Event) => navigate((event as CustomEvent<string>).detail);
    window.addEventListener("server-back", again);
    window.addEventListener("go", go);
    return () => {
      window.removeEventListener("server-back", again);
      window.removeEventListener("go", go);
    };
  }, []);
  const { project, page, rest } = route.value;
  const known = projects.value;
  useEffect(() => {
    if (project) keepProject(project);
    else if (known) navigate(firstPage(), { replace: true });
  }, [project, known]);
  useEffect(() => {
    const name = page ? page[0]!.toUpperCase() + page.slice(1) : "";
    document.title = [name, project, "tracestore"].filter(Boolean).join(" · ");
  }, [page, project]);
  if (keyWanted.value) return <SignIn />;
  return <Shell>{sessionError.value && !session.value ? <Failure error={sessionError.value} retry={() => void loadSession()} /> : !known || !project ? <Waiting /> : <Opened key={`${project}/${page}`} page={page} project={project} rest={rest} />}</Shell>;
}

/** `/` is TRACES, or the page that its query names, of the last project, else of the first that has spans; `default` holds what named no project, and comes after those with a name. */
function firstPage(): string {
  const known = projects.value ?? [];
  const kept = known.find((each) => each.name === lastProject() && each.has_spans);
  const filled = known.filter((each) => each.has_spans);
  const first = kept ?? filled.find((each) => each.name !== "default") ?? filled[0] ?? known[0];
  return pageUrl(first?.name ?? "default", params.value.get("page") ?? "traces");
}

const opened = new Map<string, Page>();

function Opened({ page, project, rest }: { page: string; project: string; rest: string[] }) {
  const [failed, setFailed] = useState<unknown>(null);
  const [, again] = useState(0);
  const loader = LOADERS[page];
  const Found = opened.get(page);
  useEffect(() => {
    if (Found || !loader) return;
    loader().then(
      (loaded) => {
        opened.set(page, loaded);
        again((n) => n + 1);
      },
      (error) => setFailed(error),
    );
  }, [page]);
  if (!loader)
    return (
      <State title="There is no such page">
        <p>
          The address may be old. <a class="link" href={pageUrl(project, "traces")}>Go to Traces</a>
        </p>
      </State>
    );
  if (failed) return <Failure error={failed} retry={() => window.location.reload()} />;
  if (!Found) return <Waiting />;
  return <Found project={project} rest={rest} />;
}
