import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Counter;
import io.prometheus.client.Gauge;
import io.prometheus.client.Histogram;
import io.prometheus.client.exporter.PushGateway;
import java.net.URL;
import java.util.LinkedHashMap;
import java.util.Map;

/** Pushes, adds and deletes with Prometheus' Java client as its users do. Arguments: URL, and which of the three. */
public class Push {
  public static void main(String[] arguments) throws Exception {
    String what = arguments[1];
    PushGateway gateway = new PushGateway(new URL(arguments[0]));
    Map<String, String> group = new LinkedHashMap<>();
    group.put("instance", "i.1 ä");
    group.put("path", "/var/tmp");
    switch (what) {
      case "push":
        gateway.push(metrics(true), "java job", group);
        break;
      case "add":
        gateway.pushAdd(metrics(false), "java job", group);
        break;
      case "delete":
        gateway.delete("java job", group);
        break;
      default:
        throw new IllegalArgumentException(what);
    }
    // any other answer than 2xx is an exception
    System.out.println("done");
  }

  private static CollectorRegistry metrics(boolean all) {
    CollectorRegistry registry = new CollectorRegistry();
    if (all) {
      Counter rows = Counter.build("java_rows_total", "Rows.").labelNames("table").register(registry);
      rows.labels("a").inc(3);
      Histogram took = Histogram.build("java_took", "Seconds.").buckets(0.5, 2).register(registry);
      for (double seconds : new double[] {0.1, 1, 9}) {
        took.observe(seconds);
      }
    }
    Gauge.build("java_depth", "Depth.").register(registry).set(all ? 1.5 : 2.5);
    return registry;
  }
}
