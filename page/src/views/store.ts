// How the store does: what the server counts about it, and of what there are most series.

import { type Address, ofExpression } from "../address";
import { Refused, ask, askText } from "../api";
import { type Child, fill, h, table, told } from "../dom";
import { count } from "../numbers";
import { stamp } from "../time";
import { shown } from "./list";
import type { Surroundings } from "./view";

const TOP = 15;

interface Counted {
  name: string;
  value: number;
}

interface Cardinality {
  headStats: { numSeries: number; numLabelPairs: number };
  seriesCountByMetricName: Counted[];
  labelValueCountByLabelName: Counted[];
  memoryInBytesByLabelName: Counted[];
  seriesCountByLabelValuePair: Counted[];
}

/** Which of the server's own metrics are about the store, by the beginnings of their names. */
const SECTIONS: [string, string[]][] = [
  ["What waits, and what was written", ["tail", "segment", "rows", "unreadable", "incomplete", "pushes_refused"]],
  ["Merging", ["compaction"]],
  ["Requests to the storage", ["storage", "disk_cache"]],
];
const PREFIX = "mayfly_";
/** Of a metric, so many lines. */
const LINES_MAX = 20;

export async function showStore(into: HTMLElement, _: Address, { signal }: Surroundings): Promise<void> {
  const sections: [string, () => Promise<Child[]>][] = [
    ["State", () => state(signal)],
    ["Series of the last two hours", () => cardinality(signal)],
    ["Figures", () => figures(signal)],
    ["Server", () => server(signal)],
  ];
  const boxes = sections.map(([title, what]) => ({ title, what, box: h("div") }));
  fill(into, ...boxes.flatMap(({ title, box }) => [h("h2", {}, title), box]));
  await Promise.all(boxes.map(({ box, what }) => shown(box, what)));
}

async function state(signal: AbortSignal): Promise<Child[]> {
  const of = async (path: string): Promise<Child> => {
    try {
      return h("p", { class: "told good" }, (await askText(path, { signal })).trim());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return told("wrong", error.message);
    }
  };
  return Promise.all([of("-/healthy"), of("-/ready")]);
}

async function cardinality(signal: AbortSignal): Promise<Child[]> {
  const { data, remarks } = await ask<Cardinality>("status/tsdb", { limit: TOP }, { signal });
  const { numSeries, numLabelPairs } = data.headStats;
  const top = (title: string, of: Counted[], expr?: (name: string) => string) => {
    const name = (text: string) => (expr ? h("a", { href: ofExpression(expr(text)) }, text) : text);
    return h("section", {}, h("h3", {}, title), of.length ? table(["", ""], of.map((each) => [name(each.name), count(each.value)]), "counts") : h("p", { class: "empty" }, "none"));
  };
  return [
    ...remarks.map((text) => told("warning", text)),
    h("p", { class: "figures" }, figure(numSeries, "series"), figure(numLabelPairs, "pairs of label and value")),
    h(
      "div",
      { class: "grid" },
      top("Series by metric", data.seriesCountByMetricName, (name) => `{__name__=${JSON.stringify(name)}}`),
      top("Values by label", data.labelValueCountByLabelName),
      top("Series by label and value", data.seriesCountByLabelValuePair),
      top("Bytes of values by label", data.memoryInBytesByLabelName),
    ),
  ];
}

function figure(value: number, of: string): HTMLElement {
  return h("span", { class: "figure" }, h("b", {}, count(value)), ` ${of}`);
}

/** What the server counts about itself. */
async function figures(signal: AbortSignal): Promise<Child[]> {
  let text: string;
  try {
    text = await askText("metrics", { signal });
  } catch (error) {
    // tokens that are bound to series may not see it, and a function has none
    if (error instanceof Refused && [403, 404].includes(error.status)) return [h("p", { class: "empty" }, `They are not shown here: ${error.message}`)];
    throw error;
  }
  const { help, families } = exposition(text);
  const children = SECTIONS.flatMap(([title, beginnings]): Child[] => {
    const wanted = families.filter(({ name }) => beginnings.some((beginning) => name.startsWith(PREFIX + beginning)));
    if (!wanted.length) return [];
    const rows = (some: Family[]) => some.map(({ name, lines }) => [h("code", { title: help.get(name) ?? "" }, name.slice(PREFIX.length)), h("div", {}, ...lines.slice(0, LINES_MAX).map((line) => valueOf(name, line)))]);
    const [busy, idle] = [true, false].map((isBusy) => wanted.filter(({ lines }) => lines.some(({ value }) => value !== 0) === isBusy)) as [Family[], Family[]];
    const rest = idle.length > 0 && h("details", { class: "card" }, h("summary", {}, `${idle.length} more, which are 0`), table(["", ""], rows(idle), "counts"));
    return [h("section", {}, h("h3", {}, title), busy.length > 0 && table(["", ""], rows(busy), "counts"), rest)];
  });
  const note = "Metrics of this server, which begin with mayfly_; totals count since it was started. How much is stored in all, mayfly store stat tells.";
  return [h("p", { class: "quiet" }, note), h("div", { class: "grid broad" }, ...children)];
}

/** A value, with the values of its labels. */
function valueOf(name: string, { labels, value }: Line): HTMLElement {
  return h("div", {}, labels && h("span", { class: "quiet" }, `${labels} `), shownValue(name, value));
}

interface Line {
  /** The values of its labels. */
  labels: string;
  value: number;
}

interface Family {
  name: string;
  lines: Line[];
}

/** Reads the text format, as far as it is needed here. */
function exposition(text: string): { help: Map<string, string>; families: Family[] } {
  const help = new Map<string, string>();
  const families = new Map<string, Line[]>();
  for (const line of text.split("\n")) {
    const told = /^# HELP (\S+) (.*)$/.exec(line);
    if (told) help.set(told[1] ?? "", told[2] ?? "");
    const parts = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/.exec(line);
    if (!parts) continue;
    const [, name = "", labels = "", value] = parts;
    const values = [...labels.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text);
    const found = { labels: values.join(", "), value: Number(value) };
    families.set(name, [...(families.get(name) ?? []), found]);
  }
  return { help, families: [...families].map(([name, lines]) => ({ name, lines })) };
}

function shownValue(name: string, value: number): string {
  if (!name.includes("bytes") || value < 1024) return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(value) / 10), units.length);
  return `${(value / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

async function server(signal: AbortSignal): Promise<Child[]> {
  const { data: build } = await ask<Record<string, string>>("status/buildinfo", {}, { signal });
  const rows: Child[][] = [["version", build["version"] ?? ""], ["revision", build["revision"] ?? ""]];
  try {
    const { data: now } = await ask<Record<string, string>>("status/runtimeinfo", {}, { signal });
    rows.push(["started (UTC)", stamp(Date.parse(now["startTime"] ?? "") / 1000)], ["machine", now["hostname"] ?? ""], ["folder", now["CWD"] ?? ""]);
    const { data: flags } = await ask<Record<string, string>>("status/flags", {}, { signal });
    const lines = Object.entries(flags).map(([name, value]) => [h("code", {}, `--${name}`), h("code", {}, value)]);
    const box = h("details", { class: "card" }, h("summary", {}, `${lines.length} flags`), table(["flag", "value"], lines));
    return [table(["", ""], rows, "counts"), box];
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return [table(["", ""], rows, "counts"), h("p", { class: "quiet" }, error.message)];
  }
}
