// Groups, as the gateway was given them. They are found by what every one of them has, the time of its last push, so that whoever may see
// only some series sees only their groups.

import { type Address, ofExpression } from "../address";
import { type Data, type Sample, ask } from "../api";
import { type Child, badge, fill, h, told } from "../dom";
import { chips, matchers, selector, series } from "../labels";
import { count, counted } from "../numbers";
import { ago, stamp } from "../time";
import { filterField, latest, shown } from "./list";
import type { Surroundings } from "./view";

const GROUPS_MAX = 500;
const SERIES_MAX = 200;
/** The clocks of browser and server may differ by as much. */
const LATELY_S = 60;
const [PUSHED, FAILED, EXPIRED] = ["push_time_seconds", "push_failure_time_seconds", "push_expired_time_seconds"];

interface Group {
  labels: Record<string, string>;
  /** When it was pushed to last; not known of one that has expired. */
  pushed?: number;
  failed?: number;
  expired?: number;
}

export async function showGroups(into: HTMLElement, address: Address, around: Surroundings): Promise<void> {
  const list = h("div");
  const narrow = latest(around.signal, (text: string, signal) => shown(list, () => groups(text, signal)));
  const field = filterField("Groups", "a part of the job, or matchers: job=\"backup\",instance=~\"db.*\"", address, around, (text) => void narrow(text));
  fill(into, field, list);
  await narrow(address.filter);
}

async function groups(filter: string, signal: AbortSignal): Promise<Child[]> {
  const vector = async (expr: string): Promise<Sample[]> => {
    const { data } = await ask<Data>("query", { query: expr, limit: GROUPS_MAX }, { post: true, signal });
    return data.resultType === "vector" ? data.result : [];
  };
  const of = (name: string | undefined) => `${name}{${matchers(filter)}}`;
  const now = Date.now() / 1000;
  const lately = { start: (now - LATELY_S).toFixed(0), end: (now + LATELY_S).toFixed(0) };
  const [names, number, pushed, failed, expired] = await Promise.all([
    // of all groups, also of those that are not shown
    ask<string[]>("labels", { "match[]": PUSHED, ...lately }, { signal }),
    vector(`count(${of(PUSHED)})`),
    vector(`topk(${GROUPS_MAX}, ${of(PUSHED)})`),
    vector(`topk(${GROUPS_MAX}, ${of(FAILED)} >= ${of(PUSHED)})`),
    vector(`topk(${GROUPS_MAX}, ${of(EXPIRED)})`),
  ]);
  const all = Number(number[0]?.value?.[1] ?? 0);
  const found = new Map<string, Group>();
  const put = (rows: Sample[], name: "pushed" | "failed" | "expired", isNew: boolean) => {
    for (const { metric, value } of rows) {
      const { __name__: _, ...labels } = metric;
      const key = JSON.stringify(Object.entries(labels).sort());
      const group = found.get(key) ?? (isNew ? { labels } : undefined);
      if (group) found.set(key, { ...group, [name]: Number(value?.[1]) });
    }
  };
  put(pushed, "pushed", true);
  put(failed, "failed", false);
  put(expired, "expired", true);
  if (!found.size) return [h("p", { class: "empty" }, filter ? "No group is like that." : "Nobody has pushed anything yet.")];

  const last = (group: Group) => group.pushed ?? group.expired ?? 0;
  const rows = [...found.values()].sort((a, b) => last(b) - last(a));
  const others = new Set([...names.data, ...rows.flatMap((group) => Object.keys(group.labels))]);
  const gone = rows.filter((group) => group.pushed === undefined).length;
  const text = all > GROUPS_MAX ? `${count(all)} groups; of these the ${GROUPS_MAX} that were pushed to last` : counted(all, "group") + (gone ? `, ${count(gone)} expired` : "");
  return [
    all > GROUPS_MAX ? told("note", `${text}. Narrow them down to see others.`) : h("p", { class: "status", role: "status" }, text),
    h("div", { class: "cards" }, ...rows.map((group) => card(group, others, signal))),
  ];
}

function card(group: Group, others: Set<string>, signal: AbortSignal): HTMLElement {
  const times: Child[] = [];
  const when = (at: number, word: string) => h("span", { title: `${stamp(at)} UTC` }, `${word} ${ago(at)}`);
  if (group.pushed !== undefined) times.push(when(group.pushed, "pushed"));
  if (group.failed !== undefined) times.push(badge("bad", "last push refused"), when(group.failed, ""));
  if (group.expired !== undefined && group.pushed === undefined) times.push(badge("dim", "expired"), when(group.expired, ""));
  const content = h("div");
  const selected = selector(group.labels, others).replace(/}$/, ',__name__!~"ALERTS|ALERTS_FOR_STATE"}');
  const box: HTMLDetailsElement = h(
    "details",
    {
      class: "card",
      toggle: () => {
        if (box.open && !content.hasChildNodes()) void shown(content, () => held(selected, group.labels, signal));
      },
    },
    h("summary", {}, chips(group.labels), h("span", { class: "when" }, ...times)),
    content,
  );
  return box;
}

/** What a group holds now: what has its labels, and none that other groups are told apart by. Alerts about it have them too. */
async function held(selected: string, labels: Record<string, string>, signal: AbortSignal): Promise<Child[]> {
  const { data, isCut } = await ask<Data>("query", { query: selected, limit: SERIES_MAX }, { post: true, signal });
  const rows = data.resultType === "vector" ? data.result : [];
  const lines = rows.map(({ metric, value, histogram }) => {
    const own = Object.fromEntries(Object.entries(metric).filter(([name, text]) => labels[name] !== text));
    const text = value?.[1] ?? `count ${histogram?.[1].count}, sum ${histogram?.[1].sum}`;
    return h("tr", {}, h("td", {}, series(own)), h("td", {}, h("code", {}, text)));
  });
  return [
    rows.length ? h("div", { class: "wide" }, h("table", { class: "samples" }, h("tbody", {}, ...lines))) : h("p", { class: "empty" }, "It holds nothing now."),
    isCut && told("note", `The first ${SERIES_MAX} series; there are more.`),
    h("p", {}, h("a", { href: ofExpression(selected) }, "Ask about these series")),
  ];
}
