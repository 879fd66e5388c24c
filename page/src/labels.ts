// Label sets, to be read and to be asked for.

import { h } from "./dom";

/** A name or a value as PromQL has it. */
const quoted = (text: string) => JSON.stringify(text);
const isPlain = (name: string) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);

/** As PromQL writes a series. */
export function seriesText(metric: Record<string, string>): string {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${isPlain(label) ? label : quoted(label)}=${quoted(value)}`);
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) return pairs.length ? `${name}{${pairs.join(", ")}}` : name;
  return `{${[...(name ? [quoted(name)] : []), ...pairs].join(", ")}}`;
}

/** The same, with its parts told apart. */
export function series(metric: Record<string, string>): HTMLElement {
  const { __name__: name = "", ...labels } = metric;
  const parts: (Node | string)[] = [];
  for (const [label, value] of Object.entries(labels)) {
    if (parts.length) parts.push(", ");
    parts.push(h("span", { class: "label" }, label), "=", h("span", { class: "value" }, quoted(value)));
  }
  return h("code", { class: "series" }, name && h("b", {}, name), ...(parts.length || !name ? ["{", ...parts, "}"] : []));
}

/** Labels, each in a box of its own. */
export function chips(labels: Record<string, string>): HTMLElement {
  const pairs = Object.entries(labels).map(([label, value]) =>
    h("span", { class: "chip" }, h("span", { class: "label" }, label), "=", value),
  );
  return h("span", { class: "chips" }, ...pairs);
}

/** A selector of series that have these labels, and of `others` those without a value. */
export function selector(labels: Record<string, string>, others: Iterable<string> = []): string {
  const all = Object.entries(labels).filter(([name]) => name !== "__name__");
  for (const name of others) if (!(name in labels) && name !== "__name__") all.push([name, ""]);
  return `{${all.map(([name, value]) => `${isPlain(name) ? name : quoted(name)}=${quoted(value)}`).join(",")}}`;
}

/** Matchers that people have written, or the one that finds their words in `job`. */
export function matchers(text: string): string {
  const trimmed = text.trim().replace(/^\{|\}$/g, "");
  if (!trimmed || /[=!]/.test(trimmed)) return trimmed;
  return `job=~${quoted(`.*${trimmed.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}.*`)}`;
}
