/** Boards that a new project can have at once: each answers one question that every team asks. */
import type { Board, Tile } from "./model";

const TIME = "start_time >= $from AND start_time < $to AND experiment IS NULL";
const BUCKET = "time_bucket($step, start_time) AS time";

const tile = (id: string, title: string, kind: Tile["kind"], place: [number, number, number, number], sql: string): Tile => ({ id, title, kind, x: place[0], y: place[1], w: place[2], h: place[3], sql });

const board = (tiles: Tile[], more: Partial<Board> = {}): Board => ({ tiles, variables: [], last: "1d", refresh_s: null, ...more });

const MODEL = { name: "model", sql: "SELECT DISTINCT metadata.model FROM spans WHERE type = 'llm' ORDER BY 1" };
const OF_MODEL = `${TIME} AND type = 'llm' AND ($model IS NULL OR metadata.model = $model)`;

export const READY: { name: string; about: string; board: Board }[] = [
  {
    name: "Traffic and errors",
    about: "How much comes, how long it takes, what fails",
    board: board([
      tile("traces", "Traces", "number", [0, 0, 3, 2], `SELECT count(*) AS traces\nFROM spans\nWHERE is_root AND ${TIME}`),
      tile("errors", "Spans with an error", "number", [3, 0, 3, 2], `SELECT count(*) AS errors\nFROM spans\nWHERE status_code = 'ERROR' AND ${TIME}`),
      tile("p95", "95 % end in, seconds", "number", [6, 0, 3, 2], `SELECT round(quantile_cont(duration, 0.95), 2) AS seconds\nFROM spans\nWHERE is_root AND ${TIME}`),
      tile("users", "Users", "number", [9, 0, 3, 2], `SELECT count(DISTINCT metadata.user_id) AS users\nFROM spans\nWHERE ${TIME}`),
      tile("traffic", "Spans by type", "stacked", [0, 2, 6, 4], `SELECT ${BUCKET}, type, count(*) AS spans\nFROM spans\nWHERE ${TIME}\nGROUP BY ALL\nORDER BY time`),
      tile("failing", "Errors", "bar", [6, 2, 6, 4], `SELECT ${BUCKET}, count(*) AS errors\nFROM spans\nWHERE status_code = 'ERROR' AND ${TIME}\nGROUP BY ALL\nORDER BY time`),
      tile("durations", "Durations of traces", "heatmap", [0, 6, 6, 4], `SELECT ${BUCKET}, 10 ** (floor(log10(duration) * 4) / 4) AS seconds, count(*) AS traces\nFROM spans\nWHERE is_root AND duration > 0 AND ${TIME}\nGROUP BY ALL\nORDER BY time`),
      tile("messages", "What went wrong", "table", [6, 6, 6, 4], `SELECT status_message AS message, name, count(*) AS spans, max(start_time) AS last\nFROM spans\nWHERE status_code = 'ERROR' AND ${TIME}\nGROUP BY ALL\nORDER BY spans DESC`),
    ]),
  },
  {
    name: "Models",
    about: "Latency, tokens and cost, by model and by user",
    board: board(
      [
        tile("latency", "Latency by model, 95 % within seconds", "line", [0, 0, 6, 4], `SELECT ${BUCKET}, metadata.model AS model, quantile_cont(duration, 0.95) AS seconds\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY time`),
        tile("first", "Time to the first token by model, median", "line", [6, 0, 6, 4], `SELECT ${BUCKET}, metadata.model AS model, median(metrics.time_to_first_token) AS seconds\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY time`),
        tile("tokens", "Tokens by model", "stacked", [0, 4, 6, 4], `SELECT ${BUCKET}, metadata.model AS model, sum(metrics.tokens) AS tokens\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY time`),
        tile("cost", "Cost by model, $", "stacked", [6, 4, 6, 4], `SELECT ${BUCKET}, metadata.model AS model, sum(metrics.estimated_cost) AS dollars\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY time`),
        tile("users", "Cost by user, $", "bar", [0, 8, 6, 4], `SELECT metadata.user_id AS user, round(sum(metrics.estimated_cost), 4) AS dollars\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY dollars DESC\nLIMIT 20`),
        tile("table", "Models", "table", [6, 8, 6, 4], `SELECT metadata.model AS model, count(*) AS calls, round(median(duration), 2) AS median_s, round(quantile_cont(duration, 0.95), 2) AS p95_s,\n       sum(metrics.tokens) AS tokens, round(sum(metrics.estimated_cost), 4) AS dollars\nFROM spans\nWHERE ${OF_MODEL}\nGROUP BY ALL\nORDER BY calls DESC`),
      ],
      { variables: [MODEL] },
    ),
  },
  {
    name: "Quality",
    about: "Scores by week and by what users ask",
    board: board(
      [
        tile("grounded", "Scores by week", "table", [0, 0, 6, 4], `SELECT date_trunc('week', start_time) AS week, key AS score, round(avg(value), 3) AS mean, count(*) AS spans\nFROM (\n  SELECT start_time, unnest(map_keys(scores::JSON::MAP(VARCHAR, DOUBLE))) AS key, unnest(map_values(scores::JSON::MAP(VARCHAR, DOUBLE))) AS value\n  FROM spans\n  WHERE scores IS NOT NULL AND ${TIME})\nGROUP BY ALL\nORDER BY week DESC, score`),
        tile("spread", "Traces with scores over time", "bar", [6, 0, 6, 4], `SELECT ${BUCKET}, count(*) AS spans\nFROM spans\nWHERE scores IS NOT NULL AND ${TIME}\nGROUP BY ALL\nORDER BY time`),
        tile("tags", "Spans by tag", "bar", [0, 4, 6, 4], `SELECT tag, count(*) AS spans\nFROM (SELECT unnest(tags) AS tag FROM spans WHERE ${TIME})\nGROUP BY tag\nORDER BY spans DESC\nLIMIT 20`),
        tile("sessions", "Longest sessions", "table", [6, 4, 6, 4], `SELECT metadata.session_id AS session, count(DISTINCT trace_id) AS traces, max(metadata.user_id) AS user, max(start_time) AS last\nFROM spans\nWHERE metadata.session_id IS NOT NULL AND ${TIME}\nGROUP BY ALL\nORDER BY traces DESC\nLIMIT 50`),
      ],
      { last: "30d" },
    ),
  },
  {
    name: "Tools",
    about: "Which tools are called, which are slow and which fail",
    board: board([
      tile("calls", "Calls by tool", "stacked", [0, 0, 6, 4], `SELECT ${BUCKET}, name, count(*) AS calls\nFROM spans\nWHERE type = 'tool' AND ${TIME}\nGROUP BY ALL\nORDER BY time`),
      tile("failed", "Failed calls by tool", "bar", [6, 0, 6, 4], `SELECT name, count(*) AS failed\nFROM spans\nWHERE type = 'tool' AND status_code = 'ERROR' AND ${TIME}\nGROUP BY ALL\nORDER BY failed DESC`),
      tile("slow", "Slowest tools, 95 % within seconds", "bar", [0, 4, 6, 4], `SELECT name, round(quantile_cont(duration, 0.95), 2) AS seconds\nFROM spans\nWHERE type = 'tool' AND ${TIME}\nGROUP BY ALL\nORDER BY seconds DESC\nLIMIT 20`),
      tile("messages", "What they say when they fail", "table", [6, 4, 6, 4], `SELECT name, status_message AS message, count(*) AS calls, max(trace_id) AS trace_id\nFROM spans\nWHERE type = 'tool' AND status_code = 'ERROR' AND ${TIME}\nGROUP BY name, message\nORDER BY calls DESC`),
    ]),
  },
];
