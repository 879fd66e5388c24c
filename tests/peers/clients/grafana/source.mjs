// Grafana's data source for Prometheus as a page of Grafana has it, but that its requests go straight to a server instead of through
// Grafana's own: `window.answers(method, from_s, to_s)` are what it finds on the server that the page came from.

import { dateTime } from "@grafana/data";
import { setBackendSrv, setTemplateSrv } from "@grafana/runtime";
import { PrometheusDatasource } from "@grafana/prometheus";
import { from } from "rxjs";

const UID = "mayfly";
const asked = new Set();

/** What Grafana's server does with `/api/datasources/uid/UID/resources/PATH`. */
async function forwarded({ url, method = "GET", params = {}, data }) {
  const [, path] = /^\/api\/datasources\/uid\/mayfly\/resources(\/.*)$/.exec(url.replace("resources//", "resources/"));
  const given = method === "GET" ? params : data;
  const form = new URLSearchParams();
  for (const [name, value] of given instanceof URLSearchParams || typeof given === "string" ? new URLSearchParams(given) : Object.entries(given ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) form.append(name, one);
  }
  asked.add(`${method} ${path.replace(/label\/.*\/values/, "label/…/values")}`);
  const response = method === "GET" ? await fetch(form.size ? `${path}?${form}` : path) : await fetch(path, { method, body: form });
  const body = await response.json();
  if (!response.ok) throw { status: response.status, data: body, isFetchError: true };
  return { data: body, status: response.status, ok: true, config: { url } };
}

setBackendSrv({
  fetch: (options) => from(forwarded(options)),
  get: async (url, params) => (await forwarded({ url, params })).data,
  post: async (url, data) => (await forwarded({ url, method: "POST", data })).data,
  datasourceRequest: forwarded,
});
setTemplateSrv({ replace: (text) => text, getVariables: () => [], containsTemplate: () => false, updateTimeRange: () => {} });

/** What variables of dashboards are made of. */
const VARIABLES = [
  "label_values(job)",
  "label_values(rows_total, table)",
  'label_values(rows_total{job=~"back.*"}, instance)',
  'label_values({__name__=~"rows_total|took_seconds_sum",job="etl"}, job)',
  "label_values(no_such_metric, job)",
  "label_names()",
  "label_names(rows)",
  "metrics(rows.*)",
  "query_result(sum by (job) (rows_total))",
  "query_result(count(rows_total) > 100)",
  "query_result(scalar(count(rows_total)))",
  "rows_total",
  'rows_total{table="users"}',
];

window.answers = async (method, from_s, to_s) => {
  const settings = { id: 1, uid: UID, name: UID, type: "prometheus", url: location.origin, access: "proxy", meta: { id: "prometheus" }, jsonData: { httpMethod: method } };
  const source = new PrometheusDatasource(settings);
  const [from, to] = [from_s, to_s].map((at) => dateTime(at * 1000));
  const timeRange = { from, to, raw: { from, to } };
  const found = {};
  for (const query of VARIABLES) found[query] = await source.metricFindQuery(query, { range: timeRange });
  const { languageProvider: provider } = source;
  await provider.start(timeRange);
  found.metrics = provider.retrieveMetrics();
  found.histograms = provider.retrieveHistogramMetrics();
  found.keys = provider.retrieveLabelKeys();
  found.metadata = provider.retrieveMetricsMetadata();
  const filters = [{ key: "job", operator: "=", value: "backup" }];
  found.tags = await source.getTagKeys({ filters: [], timeRange });
  found["tags of a job"] = await source.getTagKeys({ filters, timeRange });
  found["values of a tag"] = await source.getTagValues({ key: "instance", filters, timeRange });
  await source.loadRules();
  found.rules = source.ruleMappings;
  found.exemplars = await source.areExemplarsAvailable();
  return { found, asked: [...asked].sort() };
};
