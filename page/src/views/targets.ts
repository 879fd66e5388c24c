// What is scraped.

import type { Address } from "../address";
import { ask } from "../api";
import { type Child, badge, fill, h, table } from "../dom";
import { chips } from "../labels";
import { counted } from "../numbers";
import { ago, duration } from "../time";
import { filterField, first, has, shown } from "./list";
import type { Surroundings } from "./view";

const TARGETS_MAX = 500;

interface Target {
  scrapePool: string;
  scrapeUrl: string;
  labels: Record<string, string>;
  health: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
}

export async function showTargets(into: HTMLElement, address: Address, around: Surroundings): Promise<void> {
  const list = h("div");
  let targets: Target[] | undefined;
  const field = filterField("Targets", "words of addresses, labels and errors", address, around, (text) => {
    if (targets) fill(list, ...draw(targets, text));
  });
  fill(into, field, list);
  await shown(list, async () => {
    const { data } = await ask<{ activeTargets: Target[] }>("targets", { state: "active" }, { signal: around.signal });
    targets = data.activeTargets;
    return draw(targets, address.filter);
  });
}

function draw(targets: Target[], filter: string): Child[] {
  if (!targets.length) return [h("p", { class: "empty" }, "Nothing is scraped here: what is stored was pushed, or came by remote write.")];
  const wanted = targets.filter((each) => has(`${each.scrapeUrl} ${each.health} ${each.lastError} ${Object.values(each.labels).join(" ")}`, filter));
  const { some, note } = first(wanted, TARGETS_MAX, "targets");
  const up = targets.filter((each) => each.health === "up").length;
  const children: Child[] = [h("p", { class: "status", role: "status" }, `${counted(targets.length, "target")}, ${up} up`), note];
  for (const pool of new Set(some.map((each) => each.scrapePool))) {
    const rows = some.filter((each) => each.scrapePool === pool).map(row);
    children.push(h("h2", {}, pool), table(["target", "labels", "state", "scraped", "took", "error"], rows));
  }
  return children;
}

function row(target: Target): Child[] {
  const kind = target.health === "up" ? "good" : target.health === "down" ? "bad" : "dim";
  const isNew = target.lastScrape.startsWith("0001");
  return [
    h("code", {}, target.scrapeUrl),
    chips(target.labels),
    badge(kind, target.health),
    isNew ? "never" : ago(Date.parse(target.lastScrape) / 1000),
    isNew ? "" : duration(target.lastScrapeDuration),
    target.lastError,
  ];
}
