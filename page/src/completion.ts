// What the editor knows of the server to complete with. Each answer is bounded, however much there is, and kept for a while.

import type { PrometheusClient } from "@prometheus-io/codemirror-promql/dist/esm/client/prometheus";
import type { Matcher } from "@prometheus-io/codemirror-promql/dist/esm/types";
import { EqlSingle, EqlRegex, Neq, NeqRegex } from "@prometheus-io/lezer-promql";
import { ask, type Parameters } from "./api";

const NAMES_MAX = 10_000;
const VALUES_MAX = 1_000;
const KEPT_MS = 60_000;
/** What was there in this time is offered. */
const LOOKBACK_S = 86_400;

const OPERATORS = new Map([
  [EqlSingle, "="],
  [Neq, "!="],
  [EqlRegex, "=~"],
  [NeqRegex, "!~"],
]);

const kept = new Map<string, { at: number; data: Promise<unknown> }>();

function asked<T>(path: string, parameters: Parameters, isRecent: boolean): Promise<T> {
  const key = path + JSON.stringify(parameters);
  for (const [other, { at }] of kept) if (Date.now() - at >= KEPT_MS) kept.delete(other);
  const known = kept.get(key);
  if (known) return known.data as Promise<T>;
  const now = Date.now() / 1000;
  // up: what was pushed in this second is there too
  const all = isRecent ? { ...parameters, start: Math.floor(now - LOOKBACK_S), end: Math.ceil(now) } : parameters;
  const data = ask<T>(path, all, { isQuiet: true }).then((answer) => answer.data);
  kept.set(key, { at: Date.now(), data });
  data.catch(() => kept.delete(key));
  return data;
}

/** What was known is asked for anew, since somebody else may ask now. */
export function forgetCompletions(): void {
  kept.clear();
}

const selected = (metric = "", matchers: Matcher[] = [], but = ""): string[] => {
  const pairs = matchers
    .filter(({ name, value }) => name !== but && name !== "__name__" && value !== "")
    .map(({ name, type, value }) => `${name}${OPERATORS.get(type) ?? "="}${JSON.stringify(value)}`);
  if (metric) pairs.unshift(`__name__=${JSON.stringify(metric)}`);
  return pairs.length ? [`{${pairs.join(",")}}`] : [];
};

// a completion that cannot be had is none
const orNone = <T>(wanted: Promise<T>, none: T): Promise<T> => wanted.catch(() => none);

export const client: PrometheusClient = {
  metricNames: () => orNone(asked("label/__name__/values", { limit: NAMES_MAX }, true), [] as string[]),
  labelNames: (metric) => orNone(asked("labels", { "match[]": selected(metric), limit: VALUES_MAX }, true), [] as string[]),
  labelValues: (label, metric, matchers) => {
    const parameters = { "match[]": selected(metric, matchers, label), limit: VALUES_MAX };
    return orNone(asked(`label/${encodeURIComponent(label)}/values`, parameters, true), [] as string[]);
  },
  metricMetadata: () => orNone(asked("metadata", { limit: NAMES_MAX, limit_per_metric: 1 }, false), {}),
  series: () => Promise.resolve([]),
  flags: () => Promise.resolve({}),
};
