// What an expression gives over a range, drawn.

import uPlot from "uplot";
import type { Sample } from "../api";
import { type Child, h, told } from "../dom";
import { series, seriesText } from "../labels";
import { counted, short } from "../numbers";
import { stamp } from "../time";

/** So many lines are drawn. */
export const LINES_MAX = 200;
const HEIGHT = 380;
const GOLDEN_ANGLE = 137.508;

export interface Grid {
  start: number;
  end: number;
  step: number;
}

export interface Graph {
  children: Child[];
  /** Draws, where the children are in the page. */
  draw(): void;
  destroy(): void;
}

type Values = (number | null)[];

/** A drawing of the series; `zoom` hears of a range that was dragged. */
export function asGraph(rows: Sample[], grid: Grid, zoom: (start: number, end: number) => void): Graph {
  const points = Math.floor((grid.end - grid.start) / grid.step + 1e-6) + 1;
  const times = Array.from({ length: points }, (_, at) => grid.start + at * grid.step);
  const drawn = rows.slice(0, LINES_MAX).filter((row) => row.values?.length);
  const lines = drawn.map((row) => placed(row, grid, points));
  const histograms = rows.filter((row) => row.histograms?.length).length;
  const notes: Child[] = [];
  if (histograms) notes.push(told("note", `${counted(histograms, "series", "series")} of native histograms cannot be drawn: take histogram_quantile of them, or the table.`));
  if (!drawn.length) {
    if (!histograms) notes.push(h("p", { class: "empty" }, "Nothing: no series has a value in this range."));
    return { children: notes, draw: () => {}, destroy: () => {} };
  }

  const box = h("div", { class: "graph", role: "img", "aria-label": `graph of ${counted(drawn.length, "series", "series")}` });
  const tip = h("div", { class: "tip", hidden: true });
  let plot: uPlot | undefined;
  const keys = drawn.map((row, at) => key(row, at));
  const legend = h("div", { class: "legend" }, ...keys);
  const children = [...notes, h("div", { class: "graphbox" }, box, tip), legend];

  function key(row: Sample, at: number): HTMLButtonElement {
    const mark = h("span", { class: "mark" });
    mark.style.backgroundColor = colour(at);
    const title = "Click to see it alone, with Ctrl to hide or show it";
    const button = h("button", { type: "button", class: "key", title, "aria-pressed": "true", click: (event: MouseEvent) => choose(at, event.ctrlKey || event.metaKey) }, mark, series(row.metric));
    button.addEventListener("mouseenter", () => plot?.setSeries(at + 1, { focus: true }));
    button.addEventListener("mouseleave", () => plot?.setSeries(null as unknown as number, { focus: true }));
    return button;
  }

  /** Alone, or all again; with Ctrl one more or less. */
  function choose(at: number, isOne: boolean): void {
    if (!plot) return;
    const isShown = plot.series.slice(1).map((line) => line.show !== false);
    const isAlone = isShown.every((shown, other) => shown === (other === at));
    const wanted = isShown.map((shown, other) => (isOne ? (other === at ? !shown : shown) : isAlone || other === at));
    plot.batch(() => wanted.forEach((show, other) => plot?.setSeries(other + 1, { show })));
    keys.forEach((button, other) => button.setAttribute("aria-pressed", String(wanted[other])));
  }

  function tell(self: uPlot): void {
    const { idx, left = -1, top = -1 } = self.cursor;
    const nearest = idx === null || idx === undefined || left < 0 ? undefined : closest(self, idx, top);
    tip.hidden = nearest === undefined;
    if (nearest === undefined || idx === null || idx === undefined) return;
    const row = drawn[nearest];
    const value = lines[nearest]?.[idx];
    tip.replaceChildren(h("div", { class: "quiet" }, `${stamp(times[idx] ?? 0)} UTC`), h("b", {}, String(value)), h("div", {}, row ? seriesText(row.metric) : ""));
    const offset = self.over.offsetLeft;
    const isRight = left > self.over.clientWidth / 2;
    tip.style.left = isRight ? "auto" : `${offset + left + 14}px`;
    tip.style.right = isRight ? `${box.clientWidth - offset - left + 14}px` : "auto";
    tip.style.top = `${Math.max(0, top - 10)}px`;
  }

  function closest(self: uPlot, idx: number, top: number): number | undefined {
    let best: number | undefined;
    let distance = Infinity;
    lines.forEach((line, at) => {
      const value = line[idx];
      if (value === null || value === undefined || self.series[at + 1]?.show === false) return;
      const away = Math.abs(self.valToPos(value, "y") - top);
      if (away < distance) [best, distance] = [at, away];
    });
    return best;
  }

  function options(width: number): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--quiet"), grid: { stroke: style.getPropertyValue("--grid"), width: 1 }, ticks: { show: false }, font: `12px ${style.getPropertyValue("--sans")}` };
    return {
      width,
      height: HEIGHT,
      padding: [12, 28, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      scales: { x: { range: () => [grid.start, Math.max(grid.end, grid.start + 1)] } },
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, focus: { prox: 24 }, points: { size: 7 } },
      focus: { alpha: 0.25 },
      axes: [{ ...axis, values: clock }, { ...axis, size: 64, values: (_, ticks) => ticks.map(short) }],
      series: [{}, ...lines.map((line, at) => lineOf(line, at))],
      hooks: {
        setCursor: [tell],
        setSelect: [
          (self) => {
            if (self.select.width > 4) zoom(self.posToVal(self.select.left, "x"), self.posToVal(self.select.left + self.select.width, "x"));
          },
        ],
      },
    };
  }

  function draw(): void {
    plot?.destroy();
    plot = new uPlot(options(Math.max(box.clientWidth, 200)), [times, ...lines] as uPlot.AlignedData, box);
  }

  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  const resized = new ResizeObserver(() => plot?.setSize({ width: Math.max(box.clientWidth, 200), height: HEIGHT }));
  return {
    children,
    draw: () => {
      draw();
      resized.observe(box);
    },
    destroy: () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      plot?.destroy();
    },
  };
}

/** Each value at its place of the grid; what cannot be drawn is a gap. */
function placed(row: Sample, grid: Grid, points: number): Values {
  const line: Values = new Array(points).fill(null);
  for (const [at, text] of row.values ?? []) {
    const value = Number(text);
    const place = Math.round((at - grid.start) / grid.step);
    if (Number.isFinite(value) && place >= 0 && place < points) line[place] = value;
  }
  return line;
}

function lineOf(line: Values, at: number): uPlot.Series {
  // a value between two gaps would not be seen as a line
  const isThere = (place: number) => line[place] !== null && line[place] !== undefined;
  const lonely = line.flatMap((_, place) => (isThere(place) && !isThere(place - 1) && !isThere(place + 1) ? [place] : []));
  return {
    stroke: colour(at),
    width: 1.5,
    points: { show: () => lonely.length > 0, filter: () => lonely, size: 5 },
  };
}

function colour(at: number): string {
  return `hsl(${Math.round((at * GOLDEN_ANGLE + 175) % 360)} 62% 47%)`;
}

/** Times of the axis in UTC; the day where it begins. */
function clock(_: uPlot, ticks: number[], __: number, ___: number, increment: number): string[] {
  let day = "";
  return ticks.map((at) => {
    const [date = "", time = ""] = stamp(at).split(" ");
    if (increment >= 86_400) return date.slice(5);
    const text = increment < 60 ? time : time.slice(0, 5);
    const isNew = date !== day;
    day = date;
    return isNew ? `${text}\n${date}` : text;
  });
}
