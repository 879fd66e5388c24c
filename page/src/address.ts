// What is shown stands in the address, so that it can be sent to somebody. Of an expression it has Prometheus' parameters, as the links of
// alerts have them.

export const VIEWS = ["query", "groups", "alerts", "rules", "targets", "store"] as const;
export type View = (typeof VIEWS)[number];

export interface Address {
  view: View;
  expr: string;
  tab: "table" | "graph";
  /** A duration. */
  range: string;
  /** A time; empty is now. */
  until: string;
  /** A duration, or seconds; empty is what fits. */
  step: string;
  /** What the lists of the other views are narrowed down to. */
  filter: string;
}

export function read(search: string): Address {
  const known = new URLSearchParams(search);
  const get = (name: string) => known.get(name) ?? "";
  const view = VIEWS.find((name) => name === get("view")) ?? "query";
  return {
    view,
    expr: get("g0.expr"),
    tab: ["0", "graph"].includes(get("g0.tab")) ? "graph" : "table",
    range: get("g0.range_input") || "1h",
    until: get("g0.end_input") || get("g0.moment_input"),
    step: get("g0.step_input"),
    filter: get("filter"),
  };
}

/** The part of the address after the path. */
export function write(address: Address): string {
  const form = new URLSearchParams();
  const put = (name: string, value: string) => value && form.set(name, value);
  if (address.view !== "query") {
    form.set("view", address.view);
    put("filter", address.filter);
    return `?${form}`;
  }
  put("g0.expr", address.expr);
  form.set("g0.tab", address.tab === "graph" ? "0" : "1");
  if (address.tab === "graph") {
    form.set("g0.range_input", address.range);
    put("g0.step_input", address.step);
  }
  put(address.tab === "graph" ? "g0.end_input" : "g0.moment_input", address.until);
  return `?${form}`;
}

/** Where an expression is shown. */
export function ofExpression(expr: string, tab: Address["tab"] = "table"): string {
  return write({ view: "query", expr, tab, range: "1h", until: "", step: "", filter: "" });
}
