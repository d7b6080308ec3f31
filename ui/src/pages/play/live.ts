/** An open play: what the server tells of it as it happens, and what is typed, sent at once and kept in this browser until the server has it. */
import { signal, type Signal } from "@preact/signals";
import { exactJson } from "../../api/exact";
import { json, Problem, request } from "../../api/http";
import { applied, of, type Cell, type Edit, type PlayBody, type PlayDocument, type RowsAnswer, type Run } from "./model";

const LOOK_AGAIN_MS = 500; // after the last change, cells are asked whether they are still of what the play says
const MOST_EDITS = 500; // of one request
const STEP_MS = 20;
const MOST_WAIT_MS = 10_000; // for changes on their way, before a run begins
const KEPT = "tracestore.play"; // edits that the server has not: they outlive the page

const newId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(6)), (each) => each.toString(16).padStart(2, "0")).join("");
export const placeOf = (row: string, column: string): string => `${column}\n${row}`;

export class LivePlay {
  readonly document = signal<PlayDocument | null>(null);
  readonly run = signal<Run | null>(null);
  readonly rows = signal<RowsAnswer | null>(null);
  readonly rowsError = signal<unknown>(null);
  readonly error = signal<unknown>(null);
  readonly unsaved = signal(0);
  readonly gone = signal(false);
  /** Counts changes of cells: what sums over them looks at it. */
  readonly turn = signal(0);
  private readonly cells = new Map<string, Signal<Cell | null>>();
  private readonly texts = new Map<string, Signal<string>>();
  private readonly client = newId();
  private waiting: Edit[] = [];
  private sent: Edit[] = [];
  private rename: string | null = null;
  private source: EventSource | null = null;
  private timer = 0;
  private frame = 0;
  private rowsKey = "";
  /** Why the server did not take the last change. */
  private refused: unknown = null;

  constructor(
    readonly project: string,
    readonly id: string,
  ) {}

  at(more: string): string {
    return `/api/play/${this.id}${more}?${of(this.project)}`;
  }

  open(): () => void {
    this.takeUp();
    this.connect();
    const back = () => {
      if (this.source?.readyState === EventSource.CLOSED) this.connect();
      void this.send();
    };
    window.addEventListener("server-back", back);
    return () => {
      window.removeEventListener("server-back", back);
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
      this.source?.close();
    };
  }

  private connect(): void {
    const source = new EventSource(this.at("/events"));
    this.source = source;
    const on = (name: string, work: (data: never) => void) => source.addEventListener(name, (event) => work(exactJson((event as MessageEvent<string>).data) as never));
    on("state", (state: { document: PlayDocument; cells: Cell[]; run: Run | null }) => this.taken(state));
    on("edit", (event: { version: number; edits: Edit[]; name: string; author: string | null; client: string | null }) => this.heard(event));
    on("run", (event: { run: Run }) => (this.run.value = event.run));
    on("cell", (event: { cell: Cell }) => this.put(event.cell));
    on("delta", (event: { row: string; column: string; text: string }) => {
      const text = this.text(event.row, event.column);
      text.value += event.text;
    });
    on("deleted", () => {
      this.gone.value = true;
      source.close();
    });
    on("problem", (event: { detail: string }) => {
      this.error.value = new Error(event.detail);
      source.close();
    });
    source.onerror = () => {
      // Whether the server is there at all is found out at once, and shown.
      void request("/healthz").catch(() => {});
      if (source.readyState === EventSource.CLOSED && !this.document.peek()) void request(this.at("")).then(() => (this.error.value = new Error("the server tells nothing of this play")), (error) => (this.error.value = error));
    };
  }

  cell(row: string, column: string): Signal<Cell | null> {
    const place = placeOf(row, column);
    let known = this.cells.get(place);
    if (!known) this.cells.set(place, (known = signal<Cell | null>(null)));
    return known;
  }

  /** The text of a cell while it comes. */
  text(row: string, column: string): Signal<string> {
    const place = placeOf(row, column);
    let known = this.texts.get(place);
    if (!known) this.texts.set(place, (known = signal("")));
    return known;
  }

  *known(column?: string): Generator<Cell> {
    for (const each of this.cells.values()) {
      const cell = each.peek();
      if (cell && cell.state !== "none" && (!column || cell.column === column)) yield cell;
    }
  }

  private put(cell: Cell): void {
    const known = this.cell(cell.row, cell.column);
    // A cell that ended as what it was asked for is of the play as it is, until something changes.
    if (cell.state === "running" && known.peek()?.state !== "running") this.text(cell.row, cell.column).value = "";
    known.value = cell.state === "none" ? null : cell;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.turn.value++;
    });
  }

  private taken(state: { document: PlayDocument; cells: Cell[]; run: Run | null }): void {
    this.error.value = null;
    const before = this.document.peek();
    this.document.value = { ...state.document, body: this.withOwn(state.document.body ?? {}) };
    this.run.value = state.run;
    this.takeCells(state.cells);
    if (!before || JSON.stringify(before.body.rows) !== JSON.stringify(this.document.peek()!.body.rows)) void this.loadRows();
    void this.send();
  }

  private takeCells(cells: Cell[]): void {
    const there = new Set(cells.map((each) => placeOf(each.row, each.column)));
    for (const cell of cells) this.put(cell);
    for (const [place, known] of this.cells) if (!there.has(place)) known.value = null;
  }

  private withOwn(body: PlayBody): PlayBody {
    return [...this.sent, ...this.waiting].reduce(applied, body);
  }

  private heard(event: { version: number; edits: Edit[]; name: string; author: string | null; client: string | null }): void {
    const before = this.document.peek();
    if (!before) return;
    // What this page did stands already; what others did stands below what this page has not sent yet.
    const body = event.client === this.client ? before.body : this.withOwn(event.edits.reduce(applied, before.body));
    this.document.value = { ...before, body, version: event.version, name: event.client === this.client ? before.name : event.name, author: event.author };
    this.changed(event.edits);
  }

  private changed(edits: Edit[]): void {
    const rows = edits.some((each) => each.path[0] === "rows");
    if (!rows && edits.every((each) => each.path[0] === "columns" && ["experiment", "key", "name"].includes(String(each.path[2])))) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (rows) void this.loadRows();
      void this.lookAgain();
    }, LOOK_AGAIN_MS);
  }

  /** Asks which cells are still of what the play says. */
  async lookAgain(): Promise<void> {
    if (this.sent.length || this.waiting.length) return;
    try {
      const answer = exactJson(await (await request(this.at("/cells"))).text()) as { cells: Cell[]; run: Run | null };
      for (const cell of answer.cells) if (this.cell(cell.row, cell.column).peek()?.state === cell.state) this.put(cell);
    } catch {
      // The next change asks again.
    }
  }

  async loadRows(): Promise<void> {
    const key = JSON.stringify(this.document.peek()?.body.rows ?? null);
    this.rowsKey = key;
    try {
      const answer = exactJson(await (await request(this.at("/rows"))).text()) as RowsAnswer;
      if (this.rowsKey !== key) return;
      this.rows.value = answer;
      this.rowsError.value = null;
    } catch (error) {
      if (this.rowsKey === key) this.rowsError.value = error;
    }
  }

  // --- what is typed ---

  /** Sets single places of the play: here at once, on the server as soon as the change before is there. */
  edit(...edits: Edit[]): void {
    const before = this.document.peek();
    if (!before) return;
    this.document.value = { ...before, body: edits.reduce(applied, before.body) };
    for (const edit of edits) {
      const path = JSON.stringify(edit.path);
      const last = this.waiting[this.waiting.length - 1];
      // Of what is typed at one place while a request is under way, the last is sent.
      if (last && !last.delete && !edit.delete && JSON.stringify(last.path) === path && typeof edit.path[edit.path.length - 1] === "string") this.waiting[this.waiting.length - 1] = edit;
      else this.waiting.push(edit);
    }
    this.keep();
    void this.send();
  }

  set(path: (string | number)[], value: unknown): void {
    this.edit({ path, value });
  }

  setName(name: string): void {
    const before = this.document.peek();
    if (before) this.document.value = { ...before, name };
    this.rename = name;
    void this.send();
  }

  private async send(): Promise<void> {
    const before = this.document.peek();
    if (!before || this.sent.length || (!this.waiting.length && !this.rename)) return;
    this.sent = this.waiting.slice(0, MOST_EDITS);
    this.waiting = this.waiting.slice(MOST_EDITS);
    const name = this.rename?.trim() || undefined;
    this.rename = null;
    this.count();
    try {
      await json(this.at(""), { method: "PATCH", body: { edits: this.sent, client: this.client, ...(name ? { name } : {}) } });
      const sent = this.sent;
      this.sent = [];
      if (this.error.peek() === this.refused) this.error.value = this.refused = null;
      this.keep();
      this.changed(sent);
      void this.send();
    } catch (error) {
      const lost = error instanceof Problem && error.status === 0;
      if (lost) {
        // The server is gone: all of it is sent when it is back.
        this.waiting = [...this.sent, ...this.waiting];
        this.sent = [];
        this.rename ??= name ?? null;
        this.count();
      } else {
        this.sent = [];
        this.keep();
        this.error.value = this.refused = error;
        // What the server refused does not stay here either.
        const document = await json<PlayDocument>(this.at("")).catch(() => null);
        if (document) this.document.value = { ...document, name: name ?? document.name, body: this.withOwn(document.body) };
      }
    }
  }

  private count(): void {
    this.unsaved.value = this.sent.length + this.waiting.length;
  }

  private get kept(): string {
    return `${KEPT}.${this.id}.${this.client}`;
  }

  private keep(): void {
    this.count();
    const all = [...this.sent, ...this.waiting];
    try {
      if (all.length) localStorage.setItem(this.kept, JSON.stringify(all));
      else localStorage.removeItem(this.kept);
    } catch {
      // A browser without room for it: the server has it a moment later.
    }
  }

  /** Takes up what a page that ended had not sent. */
  private takeUp(): void {
    const prefix = `${KEPT}.${this.id}.`;
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(prefix) || key === this.kept) continue;
      try {
        this.waiting.push(...(JSON.parse(localStorage.getItem(key) ?? "[]") as Edit[]));
      } catch {
        // Nothing that this page wrote.
      }
      localStorage.removeItem(key);
    }
    this.keep();
  }

  // --- runs ---

  async start(what: "all" | "changed", columns: string[] | null = null, rows: string[] | null = null): Promise<void> {
    // What is run is what the server has.
    for (let waited = 0; this.sent.length || this.waiting.length; waited += STEP_MS) {
      if (waited > MOST_WAIT_MS) throw new Error("the last changes have not reached the server yet; run it when they have");
      await new Promise((done) => setTimeout(done, STEP_MS));
    }
    // The answer may come after the events of what it tells, and they are newer.
    await json(this.at("/run"), { body: { what, columns, rows } });
  }

  async stop(columns: string[] | null = null): Promise<void> {
    await json(this.at("/stop"), { body: { columns } });
  }
}
