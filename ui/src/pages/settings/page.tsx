/** SETTINGS: retention and deletes of a project, keys, paths with their types, storage and health. */
import { useKeys } from "../../app/keys";
import { navigate, pageUrl } from "../../app/location";
import { mayAdminister } from "../../app/session";
import { About } from "./about";
import { Keys } from "./keys";
import { Paths } from "./paths";
import { ProjectSettings } from "./project";
import { Storage } from "./storage";

const TABS = [
  { tab: "project", label: "Project" },
  { tab: "keys", label: "Keys", admin: true },
  { tab: "paths", label: "Paths" },
  { tab: "storage", label: "Storage and health" },
  { tab: "about", label: "About" },
];

export function SettingsPage({ project, rest }: { project: string; rest: string[] }) {
  const tabs = TABS.filter((each) => !each.admin || mayAdminister.value);
  const tab = tabs.find((each) => each.tab === rest[0])?.tab ?? "project";
  const step = (by: number) => {
    const at = tabs.findIndex((each) => each.tab === tab);
    navigate(pageUrl(project, `settings/${tabs[(at + by + tabs.length) % tabs.length]!.tab}`));
  };
  useKeys([
    { keys: "]", label: "Next section", run: () => step(1) },
    { keys: "[", label: "Section before", run: () => step(-1) },
  ]);
  return (
    <>
      <header class="head">
        <h1>Settings</h1>
        <span class="muted cut">{project}</span>
      </header>
      <nav class="tabs" aria-label="Sections">
        {tabs.map((each) => (
          <a key={each.tab} href={pageUrl(project, `settings/${each.tab}`)} aria-current={each.tab === tab ? "page" : undefined}>
            {each.label}
          </a>
        ))}
      </nav>
      {tab === "keys" ? <Keys project={project} /> : tab === "paths" ? <Paths project={project} /> : tab === "storage" ? <Storage project={project} /> : tab === "about" ? <About /> : <ProjectSettings project={project} key={project} />}
    </>
  );
}
