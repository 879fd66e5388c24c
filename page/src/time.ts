// Durations as Prometheus writes them, and times, always in UTC.

const UNITS: [string, number][] = [
  ["y", 31_536_000],
  ["w", 604_800],
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

/** `1h30m` in seconds; undefined if it is none. */
export function seconds(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|[ywdhms])/g)];
  if (!parts.length || parts.map(([part]) => part).join("") !== text.trim()) return undefined;
  const unit = (name: string) => (name === "ms" ? 0.001 : (UNITS.find(([known]) => known === name)?.[1] ?? 0));
  const all = parts.reduce((sum, [, amount, name]) => sum + Number(amount) * unit(name ?? ""), 0);
  return all > 0 ? all : undefined;
}

/** Seconds as `1h30m`, milliseconds where there is less than one. */
export function duration(all: number): string {
  if (all < 0.001) return "<1ms";
  if (all < 1) return `${Math.round(all * 1000)}ms`;
  let left = Math.round(all);
  let text = "";
  for (const [name, size] of UNITS) {
    // years and weeks only where nothing is left of them
    if (size > 86_400 && left % size) continue;
    if (left >= size) {
      text += `${Math.floor(left / size)}${name}`;
      left %= size;
    }
  }
  return text;
}

/** Seconds in about one unit, for people: `3m`, `2d`. */
export function about(all: number): string {
  const [name, size] = UNITS.slice(2).find(([, size]) => all >= size) ?? ["s", 1];
  return `${Math.floor(all / size)}${name}`;
}

/** How long ago that was. */
export function ago(at: number): string {
  const passed = Date.now() / 1000 - at;
  return passed < 0 ? `in ${about(-passed)}` : `${about(passed)} ago`;
}

/** `2026-01-24 09:30:00`. */
export function stamp(at: number): string {
  return new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** A time as people write it, taken as UTC, or seconds since 1970; undefined if it is none. */
export function moment(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(trimmed);
  const at = parts ? Date.parse(`${parts[1]}T${parts[2] ?? "00:00"}${parts[3] ?? "Z"}`) : NaN;
  return Number.isNaN(at) ? undefined : at / 1000;
}
