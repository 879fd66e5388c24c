// Pushes, adds and deletes with prom-client as its users do. Arguments: URL, and which of the three.
"use strict";

const { Counter, Gauge, Histogram, Pushgateway, Registry } = require("prom-client");

const [url, what] = process.argv.slice(2);
const registry = new Registry();
const gateway = new Pushgateway(url, { timeout: 10000, headers: { "Content-Encoding": "gzip" } }, registry);
const group = { jobName: "node job", groupings: { instance: "i.1 ä", zone: "a" } };

function metrics() {
  if (what === "push") {
    new Counter({ name: "node_rows_total", help: "Rows.", labelNames: ["table"], registers: [registry] }).inc({ table: "a" }, 3);
    const took = new Histogram({ name: "node_took", help: "Seconds.", buckets: [0.5, 2], registers: [registry] });
    [0.1, 1, 9].forEach((seconds) => took.observe(seconds));
  }
  new Gauge({ name: "node_depth", help: "Depth.", registers: [registry] }).set(what === "push" ? 1.5 : 2.5);
}

async function main() {
  metrics();
  const answer = await { push: () => gateway.push(group), add: () => gateway.pushAdd(group), delete: () => gateway.delete(group) }[what]();
  console.log(answer.resp.statusCode);
}

main();
