//! What dashboards and alerts ask.

use super::fleet;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;

/// What is asked, relative to the end of the data.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name of the row.
    pub name: &'static str,
    /// What it asks for.
    pub asks: Asks,
}

/// Which route, with what.
#[derive(Clone, Debug)]
pub enum Asks {
    /// `query` at the end.
    Instant(String),
    /// `query_range` over so many hours before the end, in steps of so many seconds.
    Range(String, i64, i64),
    /// `series`, over the last hours.
    Series(String, i64),
    /// `labels`, over the last hours.
    Labels(i64),
    /// `label/NAME/values` of series that match, if that is said, over the last hours.
    Values(&'static str, Option<String>, i64),
}

impl Question {
    fn new(name: &'static str, asks: Asks) -> Self {
        Self { name, asks }
    }

    /// The target of the request, where the data end at a second.
    pub fn target(&self, end_s: i64) -> String {
        let over = |hours: &i64| format!("start={}&end={end_s}", end_s - hours * HOUR_S);
        match &self.asks {
            Asks::Instant(query) => format!("/api/v1/query?query={}&time={end_s}", encoded(query)),
            Asks::Range(query, hours, step_s) => {
                // as Grafana does: times are multiples of the step
                let end_s = end_s / step_s * step_s;
                let (query, start_s) = (encoded(query), end_s - hours * HOUR_S);
                format!("/api/v1/query_range?query={query}&start={start_s}&end={end_s}&step={step_s}")
            }
            Asks::Series(matching, hours) => {
                format!("/api/v1/series?match[]={}&{}", encoded(matching), over(hours))
            }
            Asks::Labels(hours) => format!("/api/v1/labels?{}", over(hours)),
            Asks::Values(name, matching, hours) => {
                let matching = matching.as_ref().map(|matching| format!("match[]={}&", encoded(matching)));
                format!("/api/v1/label/{name}/values?{}{}", matching.unwrap_or_default(), over(hours))
            }
        }
    }

    /// As people write it.
    pub fn text(&self) -> String {
        match &self.asks {
            Asks::Instant(query) => query.clone(),
            Asks::Range(query, hours, step_s) => format!("{query} over {hours} h, step {step_s} s"),
            Asks::Series(matching, hours) => format!("series {matching} of {hours} h"),
            Asks::Labels(hours) => format!("label names of {hours} h"),
            Asks::Values(name, None, hours) => format!("values of {name} of {hours} h"),
            Asks::Values(name, Some(matching), hours) => format!("values of {name} of {matching}, {hours} h"),
        }
    }
}

/// All bytes but letters and digits, as a part of a URL.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// About a fleet of [`fleet::Fleet`].
pub fn about_fleet() -> Vec<Question> {
    let one = fleet::instance(3);
    let instant = |name, query: &str| Question::new(name, Asks::Instant(query.to_owned()));
    let range =
        |name, query: &str, hours, step_s| Question::new(name, Asks::Range(query.to_owned(), hours, step_s));
    vec![
        instant(
            "instant, one series",
            &format!("http_requests_total{{instance=\"{one}\",method=\"GET\",status=\"500\"}}"),
        ),
        instant("instant, a metric", "process_resident_memory_bytes"),
        instant("instant, many series", "http_request_duration_seconds_bucket"),
        instant("alert: nothing is down", "up == 0"),
        instant("alert: join one to one", "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1"),
        instant(
            "alert: share of errors",
            "sum by (job) (rate(http_requests_total{status=\"500\"}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.009",
        ),
        instant(
            "alert: histogram_quantile",
            "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m]))) > 0.5",
        ),
        instant("alert: absent", "absent(up{job=\"api-of-yesterday\"})"),
        instant("alert: time since start", "time() - process_start_time_seconds < 600"),
        instant("increase over 6 h", "sum by (job) (increase(http_requests_total[6h]))"),
        instant("avg_over_time of 1 h", "avg_over_time(node_load1[1h])"),
        instant("quantile_over_time of 6 h", "max by (job) (quantile_over_time(0.95, queue_length[6h]))"),
        instant("resets over 6 h", "sum(resets(http_requests_total[6h])) by (job)"),
        instant("predict_linear", "predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600) < 0"),
        instant("subquery", "max_over_time(sum by (job) (rate(http_requests_total[5m]))[1h:1m])"),
        instant("count by", "count by (version) (build_info)"),
        range("selector, one instance", &format!("node_load1{{instance=\"{one}\"}}"), 6, 15),
        range("rate, one instance", &format!("rate(http_requests_total{{instance=\"{one}\"}}[5m])"), 1, 15),
        range("a metric as it is", "process_resident_memory_bytes", 6, MINUTE_S),
        range("many series as they are", "http_request_duration_seconds_bucket", 1, MINUTE_S),
        range("sum by of rate", "sum by (job) (rate(http_requests_total[5m]))", 6, MINUTE_S),
        range(
            "sum by of rate, one job",
            "sum by (status) (rate(http_requests_total{job=\"api-3\"}[5m]))",
            1,
            15,
        ),
        range(
            "topk of rate",
            "topk(5, sum by (instance) (rate(http_request_duration_seconds_sum[5m])))",
            6,
            5 * MINUTE_S,
        ),
        range("quantile", "quantile by (job) (0.9, node_load1)", 6, MINUTE_S),
        range(
            "histogram_quantile",
            "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
            6,
            MINUTE_S,
        ),
        range(
            "histogram_quantile, one job",
            "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{job=\"api-3\"}[5m])))",
            1,
            15,
        ),
        range(
            "share of errors",
            "sum by (job) (rate(http_requests_total{status=\"500\"}[5m])) / sum by (job) (rate(http_requests_total[5m]))",
            6,
            MINUTE_S,
        ),
        range(
            "join, many to one",
            "sum by (version) (process_resident_memory_bytes * on (instance, job) group_left (version) build_info)",
            6,
            MINUTE_S,
        ),
        range(
            "regular expressions",
            "sum by (instance) (rate(http_requests_total{status=~\"4..|5..\",instance=~\"10\\\\.0\\\\.0\\\\.1.*\"}[5m]))",
            1,
            MINUTE_S,
        ),
        range(
            "processor",
            "1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))",
            6,
            MINUTE_S,
        ),
        range("max_over_time", "max by (job) (max_over_time(queue_length[30m]))", 6, 5 * MINUTE_S),
        Question::new("label names", Asks::Labels(6)),
        Question::new("values of a label", Asks::Values("instance", None, 6)),
        Question::new(
            "values of a label, matching",
            Asks::Values("status", Some("http_requests_total{job=\"api-3\"}".to_owned()), 1),
        ),
        Question::new("metric names", Asks::Values("__name__", None, 6)),
        Question::new("series of a job", Asks::Series("{job=\"api-3\"}".to_owned(), 1)),
    ]
}

/// About [`crate::datasets::short_lived_of`], of which `one` is an instance.
pub fn about_short_lived(one: &str) -> Vec<Question> {
    let instant = |name, query: &str| Question::new(name, Asks::Instant(query.to_owned()));
    let range =
        |name, query: &str, hours, step_s| Question::new(name, Asks::Range(query.to_owned(), hours, step_s));
    vec![
        instant("instant, of the last minutes", "sum by (function) (lambda_invocations_total)"),
        instant("one instance", &format!("last_over_time({{instance=\"{one}\"}}[2h])")),
        instant("increase over 1 h", "sum by (function) (increase(lambda_invocations_total[1h]))"),
        instant("how many over 2 h", "count by (job) (count_over_time(lambda_errors_total[2h]))"),
        instant(
            "quantile of all over 2 h",
            "quantile by (function) (0.99, max_over_time(lambda_duration_seconds[2h]))",
        ),
        instant("topk over 1 h", "topk(10, max_over_time(lambda_duration_seconds[1h]))"),
        instant(
            "alert: since the last success",
            "time() - max by (job) (last_over_time(job_last_success_timestamp_seconds[2h])) > 600",
        ),
        instant(
            "alert: share of errors",
            "sum by (function) (increase(lambda_errors_total[10m])) / sum by (function) (increase(lambda_invocations_total[10m])) > 0.5",
        ),
        instant(
            "regular expressions over 1 h",
            "sum by (function) (sum_over_time(lambda_duration_seconds{function=~\"fn-1.*\"}[1h]))",
        ),
        range("sum by", "sum by (function) (lambda_duration_seconds)", 2, MINUTE_S),
        range("rate of one job", "sum(rate(job_rows_processed_total{job=\"etl-17\"}[5m]))", 2, MINUTE_S),
        range("one instance as it is", &format!("lambda_duration_seconds{{instance=\"{one}\"}}"), 2, 15),
        range(
            "join, many to one",
            "max by (function) (lambda_duration_seconds{job=\"etl-17\"} * on (instance) group_left () lambda_invocations_total{job=\"etl-17\"})",
            1,
            MINUTE_S,
        ),
        Question::new("label names", Asks::Labels(2)),
        Question::new("values of a label", Asks::Values("function", None, 2)),
        Question::new(
            "values of a label, matching",
            Asks::Values("instance", Some("lambda_errors_total{job=\"etl-17\"}".to_owned()), 2),
        ),
        Question::new("series of an instance", Asks::Series(format!("{{instance=\"{one}\"}}"), 2)),
        Question::new("series of a job", Asks::Series("{job=\"etl-17\"}".to_owned(), 2)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_of_whole_steps() {
        let question = Question::new("", Asks::Range("up{a=\"b\"}".to_owned(), 1, 60));
        let expect = "/api/v1/query_range?query=up%7Ba%3D%22b%22%7D&start=0&end=3600&step=60";
        assert_eq!(question.target(3_659), expect);
    }
}
