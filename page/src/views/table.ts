// What an expression gives at one time.

import type { Data, NativeHistogram, Sample } from "../api";
import { type Child, h, table } from "../dom";
import { series } from "../labels";
import { counted } from "../numbers";
import { stamp } from "../time";

/** So many series are drawn. */
export const ROWS_MAX = 1_000;
/** Of each that has several values, so many. */
const VALUES_MAX = 50;

export function asTable(data: Data): Child[] {
  if (data.resultType === "scalar" || data.resultType === "string") {
    return [table([data.resultType, "at"], [[h("code", {}, data.result[1]), `${stamp(data.result[0])} UTC`]], "samples")];
  }
  if (!data.result.length) return [h("p", { class: "empty" }, "Nothing: no series has a value there.")];
  const rows = data.result.slice(0, ROWS_MAX).map((row) => [series(row.metric), cell(row)]);
  return [table(["series", "value"], rows, "samples")];
}

function cell(row: Sample): Node {
  if (row.value) return h("code", {}, row.value[1]);
  if (row.histogram) return histogram(row.histogram[1]);
  const values: [number, Node | string][] = [
    ...(row.values ?? []).map(([at, text]): [number, string] => [at, text]),
    ...(row.histograms ?? []).slice(-VALUES_MAX).map(([at, each]): [number, Node] => [at, histogram(each)]),
  ];
  const all = (row.values?.length ?? 0) + (row.histograms?.length ?? 0);
  const some = values.sort(([a], [b]) => a - b).slice(-VALUES_MAX);
  const lines = some.map(([at, value]) => h("div", {}, value, h("span", { class: "quiet" }, ` @${at}`)));
  const note = all > some.length && h("div", { class: "quiet" }, `the last ${some.length} of ${counted(all, "value")}`);
  return h("code", {}, note, ...lines);
}

function histogram({ count, sum, buckets = [] }: NativeHistogram): Node {
  const bound = ([kind, low, high]: [number, string, string, string]) =>
    `${kind === 1 || kind === 3 ? "[" : "("}${low}, ${high}${kind === 0 || kind === 3 ? "]" : ")"}`;
  return h(
    "details",
    { class: "histogram" },
    h("summary", {}, `count ${count}, sum ${sum}`),
    table(["bucket", "count"], buckets.map((bucket) => [bound(bucket), bucket[3]])),
  );
}
