// Asks the query API for what the address says, and shows it.
"use strict";

// of so many series more are asked for than are shown, so that it is known whether there are more
const SERIES_SHOWN = 1000;
const POINTS = 400;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };

const form = document.getElementById("ask");
const told = document.getElementById("told");
const shown = document.getElementById("answer");

const element = (name, attributes = {}, text = "") => {
  const made = document.createElementNS(name === "svg" || name === "polyline" ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

function series(metric) {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length || !name ? `${name}{${pairs.join(", ")}}` : name;
}

const histogram = ({ count, sum }) => `count ${count}, sum ${sum}`;

// of a vector what each series has, of a matrix all of it with its times
function cell(row) {
  if (row.value) return row.value[1];
  if (row.histogram) return histogram(row.histogram[1]);
  const floats = (row.values || []).map(([at, text]) => `${text} @${at}`);
  return [...floats, ...(row.histograms || []).map(([at, each]) => `${histogram(each)} @${at}`)].join("\n");
}

function table(data) {
  const isOne = data.resultType === "scalar" || data.resultType === "string";
  const rows = isOne ? [[data.resultType, data.result[1]]] : data.result.map((row) => [series(row.metric), cell(row)]);
  const made = element("table");
  for (const cells of rows.slice(0, SERIES_SHOWN)) {
    const line = made.appendChild(element("tr"));
    for (const cell of cells) line.appendChild(element("td", {}, cell));
  }
  return [made, element("p", {}, rows.length > SERIES_SHOWN ? `the first ${SERIES_SHOWN} series; there are more` : `${rows.length} series`)];
}

const colour = (at) => `hsl(${(at * 137.5) % 360} 65% 42%)`;

function graph(data, start, end) {
  const lines = data.result.slice(0, SERIES_SHOWN).map((row) => (row.values || []).map(([at, text]) => [at, Number(text)]).filter(([, v]) => Number.isFinite(v)));
  const values = lines.flat().map(([, v]) => v);
  if (!values.length) return [element("p", {}, "nothing that can be drawn")];
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const room = high - low || Math.abs(high) || 1;
  const drawing = element("svg", { viewBox: "0 0 1000 300", preserveAspectRatio: "none", role: "img" });
  const place = ([at, v]) => `${((at - start) / (end - start)) * 1000},${290 - ((v - low) / room) * 280}`;
  lines.forEach((line, at) => drawing.appendChild(element("polyline", { points: line.map(place).join(" "), stroke: colour(at) })));
  const legend = element("table");
  data.result.slice(0, SERIES_SHOWN).forEach((row, at) => {
    const line = legend.appendChild(element("tr"));
    line.appendChild(element("td", {}, "— " + series(row.metric))).style.color = colour(at);
  });
  const clock = (at) => new Date(at * 1000).toISOString().slice(0, 19) + "Z";
  const more = data.result.length > SERIES_SHOWN ? `; the first ${SERIES_SHOWN} series, there are more` : "";
  return [drawing, element("p", {}, `${clock(start)} to ${clock(end)}, from ${low} to ${high}${more}`), legend];
}

async function ask(address) {
  told.textContent = "";
  shown.replaceChildren();
  const expr = address.get("g0.expr");
  if (!expr) return;
  const draws = address.get("g0.tab") === "0";
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smhdwy])$/.exec(address.get("g0.range_input") || "1h") || [0, 1, "h"];
  const end = Date.now() / 1000;
  const start = end - amount * SECONDS[unit];
  const wanted = new URLSearchParams({ query: expr, limit: SERIES_SHOWN + 1 });
  if (draws) {
    wanted.set("start", start.toFixed(3));
    wanted.set("end", end.toFixed(3));
    wanted.set("step", Math.max(1, (end - start) / POINTS).toFixed(3));
  }
  try {
    const answer = await (await fetch(`api/v1/${draws ? "query_range" : "query"}`, { method: "POST", body: wanted })).json();
    const warnings = (answer.warnings || []).filter((text) => !/truncated due to limit/.test(text));
    told.textContent = [answer.error, ...warnings, ...(answer.infos || [])].filter(Boolean).join("\n");
    if (answer.data) shown.replaceChildren(...(draws ? graph(answer.data, start, end) : table(answer.data)));
  } catch (error) {
    told.textContent = `no answer: ${error.message}`;
  }
}

const known = new URLSearchParams(location.search);
for (const field of form.elements) {
  if (!known.has(field.name)) continue;
  if (field.type === "radio") field.checked = field.value === known.get(field.name);
  else field.value = known.get(field.name);
}
ask(known);
