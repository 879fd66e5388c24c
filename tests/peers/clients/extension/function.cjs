// A Node function that OpenTelemetry measures, as its SDK does without settings: cumulative, over HTTP with protobuf; and the loop of a runtime.
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { OTLPMetricExporter } = require("@opentelemetry/exporter-metrics-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const exporter = new OTLPMetricExporter({ url: `http://127.0.0.1:${process.env.MAYFLY_OTLP_PORT}/v1/metrics` });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const resource = resourceFromAttributes({ "service.name": "shop-js" });
const provider = new MeterProvider({ readers: [reader], resource });
const meter = provider.getMeter("shop");
const orders = meter.createCounter("shop.orders", { description: "Orders." });
const advice = { explicitBucketBoundaries: [0.25, 1, 5] };
const took = meter.createHistogram("shop.took", { unit: "s", advice });
const queue = meter.createGauge("shop.queue");

async function handler(event) {
  orders.add(1, { kind: event.kind });
  took.record(event.took);
  queue.record(event.queue);
  await provider.forceFlush();
  if (event.do === "fail") throw new Error("no such book");
  if (event.do === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
  return { ordered: event.kind };
}

async function main() {
  const runtime = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
  for (;;) {
    const next = await fetch(`${runtime}/next`);
    const [event, request] = [await next.json(), next.headers.get("lambda-runtime-aws-request-id")];
    let [kind, body] = ["response", null];
    try {
      body = await handler(event);
    } catch (error) {
      [kind, body] = ["error", { errorMessage: error.message, errorType: error.name }];
    }
    await fetch(`${runtime}/${request}/${kind}`, { method: "POST", body: JSON.stringify(body) });
  }
}

main();
