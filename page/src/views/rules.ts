// Rules and their alerts.

import { type Address, ofExpression } from "../address";
import { ask } from "../api";
import { type Child, badge, fill, h, table, told } from "../dom";
import { chips } from "../labels";
import { counted } from "../numbers";
import { ago, duration, stamp } from "../time";
import { filterField, first, has, shown } from "./list";
import type { Surroundings } from "./view";

const RULES_MAX = 300;
const ALERTS_MAX = 100;

interface Alert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: string;
  activeAt?: string;
  value: string;
}

interface Rule {
  type: "alerting" | "recording";
  name: string;
  query: string;
  state?: string;
  duration?: number;
  keepFiringFor?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  alerts?: Alert[];
  health: string;
  lastError?: string;
  lastEvaluation: string;
  evaluationTime: number;
}

interface Group {
  name: string;
  file: string;
  interval: number;
  lastEvaluation: string;
  evaluationTime: number;
  rules: Rule[];
}

const STATES = ["firing", "pending", "inactive"];
const KINDS: Record<string, string> = { firing: "bad", pending: "warn", inactive: "good", ok: "good", err: "bad", unknown: "dim" };

/** A time of Go; before the first evaluation it is the year 1. */
const passed = (text: string) => (text.startsWith("0001") ? "never" : ago(Date.parse(text) / 1000));
const at = (text: string) => stamp(Date.parse(text) / 1000);

export async function showAlerts(into: HTMLElement, address: Address, around: Surroundings): Promise<void> {
  await show(into, address, around, "Alerts", "alert", (groups, filter) => {
    const rules = groups.flatMap((group) => group.rules.map((rule) => ({ rule, group })));
    const text = ({ rule, group }: (typeof rules)[number]) =>
      [rule.name, rule.state, group.name, group.file, ...(rule.alerts ?? []).slice(0, ALERTS_MAX).flatMap((alert) => Object.values(alert.labels))].join(" ");
    const wanted = rules.filter((each) => has(text(each), filter));
    wanted.sort((a, b) => STATES.indexOf(a.rule.state ?? "") - STATES.indexOf(b.rule.state ?? ""));
    const { some, note } = first(wanted, RULES_MAX, "rules");
    const numbers = STATES.map((state) => badge(KINDS[state] ?? "", `${counted(rules.filter(({ rule }) => rule.state === state).length, "rule")} ${state}`));
    if (!rules.length) return [h("p", { class: "empty" }, "There are no alerting rules. They come from --rules and --config.file.")];
    return [h("p", { class: "badges" }, ...numbers), note, h("div", { class: "cards" }, ...some.map(({ rule, group }) => alertCard(rule, group)))];
  });
}

export async function showRules(into: HTMLElement, address: Address, around: Surroundings): Promise<void> {
  await show(into, address, around, "Rules", "", (groups, filter) => {
    if (!groups.length) return [h("p", { class: "empty" }, "There are no rules. They come from --rules and --config.file.")];
    let left = RULES_MAX;
    const all = groups.reduce((sum, group) => sum + group.rules.length, 0);
    const children: Child[] = [];
    let found = 0;
    for (const group of groups) {
      const rules = group.rules.filter((rule) => has(`${rule.name} ${rule.query} ${rule.health} ${group.name} ${group.file}`, filter));
      found += rules.length;
      if (!rules.length || left <= 0) continue;
      const some = rules.slice(0, left);
      left -= some.length;
      children.push(
        h("h2", {}, group.name, h("span", { class: "quiet" }, ` ${group.file}`)),
        h("p", { class: "status" }, `every ${duration(group.interval)}, last ${passed(group.lastEvaluation)}, took ${duration(group.evaluationTime)}`),
        table(["rule", "expression", "health", "evaluated", "took"], some.map(ruleRow), "rules"),
      );
    }
    const cut = found > RULES_MAX && told("note", `The first ${RULES_MAX} of ${found} rules are shown: narrow them down to see others.`);
    return [h("p", { class: "status", role: "status" }, filter ? `${found} of ${counted(all, "rule")}` : counted(all, "rule")), cut, ...children];
  });
}

async function show(
  into: HTMLElement,
  address: Address,
  around: Surroundings,
  title: string,
  type: string,
  draw: (groups: Group[], filter: string) => Child[],
): Promise<void> {
  const list = h("div");
  let groups: Group[] | undefined;
  const field = filterField(title, "words of names, labels, states and files", address, around, (text) => {
    if (groups) fill(list, ...draw(groups, text));
  });
  fill(into, field, list);
  await shown(list, async () => {
    const { data, remarks } = await ask<{ groups: Group[] }>("rules", { type }, { signal: around.signal });
    groups = data.groups.filter((group) => group.rules.length);
    return [...remarks.map((text) => told("warning", text)), ...draw(groups, address.filter)];
  });
}

function expression(query: string): HTMLElement {
  return h("a", { href: ofExpression(query), class: "expr" }, h("code", {}, query));
}

function alertCard(rule: Rule, group: Group): HTMLElement {
  const alerts = rule.alerts ?? [];
  const { some, note } = first(alerts, ALERTS_MAX, "alerts");
  const state = rule.state ?? "unknown";
  return h(
    "details",
    { class: "card", open: state !== "inactive" || rule.health === "err" },
    h(
      "summary",
      {},
      badge(KINDS[state] ?? "", state),
      rule.health === "err" && badge("bad", "error"),
      h("b", {}, rule.name),
      alerts.length > 0 && h("span", { class: "quiet" }, counted(alerts.length, "alert")),
      h("span", { class: "when" }, `${group.name} · ${group.file}`),
    ),
    h("p", {}, expression(rule.query), rule.duration ? h("span", { class: "quiet" }, ` for ${duration(rule.duration)}`) : null),
    rule.lastError ? told("wrong", rule.lastError) : null,
    note,
    some.length > 0 && table(["labels", "state", "since (UTC)", "value", "annotations"], some.map(alertRow), "alerts"),
  );
}

function alertRow(alert: Alert): Child[] {
  const { alertname: _, ...labels } = alert.labels;
  const annotations = Object.entries(alert.annotations).map(([name, text]) => h("div", {}, h("span", { class: "quiet" }, `${name} `), linked(text)));
  return [
    chips(labels),
    badge(KINDS[alert.state] ?? "", alert.state),
    alert.activeAt ? h("span", { title: passed(alert.activeAt) }, at(alert.activeAt)) : "",
    h("code", {}, String(Number(alert.value))),
    h("div", {}, ...annotations),
  ];
}

/** A runbook's address can be followed; nothing else is taken for one. */
function linked(text: string): Child {
  return /^https?:\/\/\S+$/.test(text) ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, text) : text;
}

function ruleRow(rule: Rule): Child[] {
  const more = rule.type === "alerting" && rule.duration ? ` for ${duration(rule.duration)}` : "";
  return [
    h("div", {}, h("b", {}, rule.name), h("div", { class: "quiet" }, rule.type + more), rule.labels && chips(rule.labels)),
    h("div", {}, expression(rule.query), rule.lastError ? told("wrong", rule.lastError) : null),
    badge(KINDS[rule.health] ?? "", rule.health),
    passed(rule.lastEvaluation),
    duration(rule.evaluationTime),
  ];
}
