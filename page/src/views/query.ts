// An expression, and what comes of it.

import type { Address } from "../address";
import { type Data, ask, inWords } from "../api";
import { fill, h, told } from "../dom";
import { type Editor, type Wishes, editor } from "../editor";
import { counted } from "../numbers";
import { type Problem, problem } from "../problem";
import { duration, moment, seconds, stamp } from "../time";
import { type Graph, LINES_MAX, asGraph } from "./graph";
import { ROWS_MAX, asTable } from "./table";
import type { Surroundings } from "./view";

/** So many points has a line, unless a step is given. */
const POINTS = 300;
/** More than so many are not asked for; Prometheus' limit is 11,000. */
const POINTS_MAX = 5_000;
const RANGES = ["1m", "5m", "15m", "30m", "1h", "2h", "6h", "12h", "1d", "2d", "1w", "2w", "4w", "12w", "1y"];

/** The field that is on the page, and to whom it tells its wishes: it stays while others become the view, with its cursor and all that can
 *  be undone in it. */
let shown: { field: Editor; wishes: Wishes } | undefined;

function fieldOf(text: string, wishes: Wishes): Editor {
  if (shown?.field.element.isConnected) {
    Object.assign(shown.wishes, wishes);
    shown.field.setText(text);
  } else {
    const told = { ...wishes };
    shown = { field: editor(text, told), wishes: told };
  }
  return shown.field;
}

export function showQuery(into: HTMLElement, address: Address, around: Surroundings): void {
  const wrong = h("div", { class: "problem" });
  const status = h("p", { class: "status", role: "status" });
  const answer = h("div", { class: "answer" });
  let running: AbortController | undefined;
  let graph: Graph | undefined;
  around.signal.addEventListener("abort", () => {
    running?.abort();
    graph?.destroy();
  });

  const hadFocus = shown?.field.element === document.activeElement;
  const field = fieldOf(address.expr, { run: () => go(), judged: (found) => showProblem(found) });
  const range = h("input", { value: address.range, size: 5, "aria-label": "range", spellcheck: "false" });
  const until = h("input", { value: address.until, size: 19, placeholder: "now", "aria-label": "until, a time in UTC", spellcheck: "false" });
  const step = h("input", { value: address.step, size: 5, placeholder: "auto", "aria-label": "step", spellcheck: "false" });
  const button = h("button", { type: "submit", class: "primary" }, "Ask");

  const tab = (name: Address["tab"], text: string) =>
    h("button", { type: "button", class: "tab", "aria-pressed": String(address.tab === name), click: () => go({ tab: name }) }, text);
  const change = (by: number) => {
    const now = seconds(range.value) ?? 3_600;
    const known = RANGES.map((text) => seconds(text) ?? 0);
    const next = by > 0 ? known.find((each) => each > now) : known.findLast((each) => each < now);
    if (next) range.value = duration(next);
    go();
  };
  const move = (by: number) => {
    const width = seconds(range.value) ?? 3_600;
    const end = (moment(until.value) ?? Date.now() / 1000) + by * width;
    until.value = end >= Date.now() / 1000 ? "" : stamp(end);
    go();
  };
  const small = (text: string, label: string, click: () => void) => h("button", { type: "button", class: "small", "aria-label": label, title: label, click }, text);

  const isGraph = address.tab === "graph";
  const form = h(
    "form",
    {
      class: "ask",
      submit: (event: Event) => {
        event.preventDefault();
        go();
      },
    },
    h("div", { class: "line" }, field.element, button),
    wrong,
    h(
      "div",
      { class: "controls" },
      h("span", { class: "tabs" }, tab("table", "Table"), tab("graph", "Graph")),
      isGraph && h("span", { class: "control" }, h("span", {}, "of the last"), small("−", "a shorter range", () => change(-1)), range, small("+", "a longer range", () => change(1))),
      h("span", { class: "control" }, h("span", {}, isGraph ? "until" : "at"), isGraph && small("‹", "earlier", () => move(-0.5)), until, isGraph && small("›", "later", () => move(0.5))),
      isGraph && h("span", { class: "control" }, h("span", {}, "step"), step),
    ),
  );
  fill(into, form, status, answer);
  // it left the page for a moment
  if (hadFocus) field.focus();
  if (address.expr) void run();
  else {
    fill(answer, welcome());
    field.focus();
  }

  function showProblem(found: Problem | undefined): void {
    if (!found) return fill(wrong);
    const text = field.text();
    const before = text.slice(0, found.from);
    const line = before.split("\n").length;
    const column = found.from - (before.lastIndexOf("\n") + 1) + 1;
    fill(wrong, h("p", { class: "told wrong", role: "alert" }, `${text.includes("\n") ? `line ${line}, ` : ""}column ${column}: ${found.message}`));
  }

  /** What the fields say becomes the address, which is then shown. */
  function go(more: Partial<Address> = {}): void {
    around.go({ expr: field.text(), range: range.value || "1h", until: until.value, step: step.value, ...more });
  }

  async function run(): Promise<void> {
    running = new AbortController();
    const { signal } = running;
    button.textContent = "Stop";
    button.type = "button";
    const stop = () => running?.abort();
    button.addEventListener("click", stop);
    fill(status, "…");
    const begun = performance.now();
    try {
      fill(answer, ...(await asked(signal)));
      graph?.draw();
      const took = duration((performance.now() - begun) / 1000);
      status.append(` · ${took}`);
    } catch (error) {
      const words = inWords(error);
      const found = words === undefined ? undefined : problem(words, address.expr);
      fill(status, words === undefined ? "Stopped." : "");
      fill(answer, words !== undefined && !found && told("wrong", words));
      if (found) showProblem(found);
    } finally {
      button.removeEventListener("click", stop);
      button.textContent = "Ask";
      button.type = "submit";
    }
  }

  async function asked(signal: AbortSignal): Promise<(Node | string | false | null | undefined | number)[]> {
    const end = address.until ? moment(address.until) : Date.now() / 1000;
    if (end === undefined) throw new Error(`${address.until} is no time: expected one like ${stamp(Date.now() / 1000)}, in UTC`);
    const limit = isGraph ? LINES_MAX : ROWS_MAX;
    if (!isGraph) {
      const { data, remarks, isCut } = await ask<Data>("query", { query: address.expr, time: end.toFixed(3), limit }, { post: true, signal });
      summarize(data, isCut, limit);
      return [...remarks.map((text) => told("warning", text)), ...asTable(data)];
    }
    const width = seconds(address.range);
    if (width === undefined) throw new Error(`${address.range} is no range: expected one like 30m, 6h or 1d`);
    const given = /^[\d.]+$/.test(address.step) ? Number(address.step) : address.step ? seconds(address.step) : undefined;
    if (address.step && !given) throw new Error(`${address.step} is no step: expected one like 15s, or nothing`);
    const grid = { start: 0, end, step: given ?? Math.max(1, Math.round(width / POINTS)) };
    if (width / grid.step > POINTS_MAX) throw new Error(`a step of ${duration(grid.step)} makes more than ${POINTS_MAX} points of ${address.range}: take a longer one`);
    // the end is a step, so that what was pushed a moment ago is seen
    grid.start = end - Math.floor(width / grid.step) * grid.step;
    const parameters = { query: address.expr, start: grid.start.toFixed(3), end: grid.end.toFixed(3), step: grid.step, limit };
    const { data, remarks, isCut } = await ask<Data>("query_range", parameters, { post: true, signal });
    if (data.resultType !== "matrix") throw new Error(`a ${data.resultType} cannot be drawn`);
    summarize(data, isCut, limit);
    graph = asGraph(data.result, grid, (start, end) => go({ range: duration(Math.max(1, Math.round(end - start))), until: stamp(end) }));
    return [...remarks.map((text) => told("warning", text)), ...graph.children];
  }

  function summarize(data: Data, isCut: boolean, limit: number): void {
    if (!Array.isArray(data.result) || data.resultType === "scalar" || data.resultType === "string") return fill(status, data.resultType);
    const found = data.result.length;
    const text = isCut ? `The first ${counted(limit, "series", "series")}; there are more, which a selector or topk would narrow down` : counted(found, "series", "series");
    fill(status, isCut ? h("strong", {}, text) : text);
  }
}

function welcome(): HTMLElement {
  const example = (expr: string, what: string) => h("li", {}, h("a", { href: `?g0.expr=${encodeURIComponent(expr)}&g0.tab=1` }, h("code", {}, expr)), ` – ${what}`);
  return h(
    "div",
    { class: "welcome" },
    h("p", {}, "What was pushed holds until it is replaced, deleted or expired. For a start:"),
    h(
      "ul",
      {},
      example("push_time_seconds", "every group, and when it was last pushed to"),
      example("time() - push_time_seconds > 3600", "groups that nobody has pushed to for an hour"),
      example("topk(10, count by (__name__) ({__name__=~\".+\"}))", "of which metrics there are most series"),
    ),
  );
}
