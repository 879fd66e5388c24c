//! The web page: what the process is, and the groups with what they hold. One page of text and no bundle.

use std::fmt::{self, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use model::Labels;
use model::float::shortest;
use store::{HeldFamily, LiveGroup};
use wire::{Metric, MetricValue};

use crate::about::About;
use crate::api::last_push_succeeded;
use crate::scrape;
use crate::settings::Web;
use crate::time::rfc3339;

/// Groups on one page.
const GROUPS_MAX: usize = 200;
/// Metrics of one family that are shown.
const METRICS_MAX: usize = 1_000;

const HEAD: &str = include_str!("web_page/head.html");

/// The page with this number, from 1.
pub(crate) fn web_page(live: &[LiveGroup], about: &About, web: &Web, prefix: &str, number: usize) -> String {
    let mut page = Page { html: String::from(HEAD), prefix, admin_api: web.admin_api };
    // writing to a string cannot fail
    let _ = page.write(live, about, number);
    page.html
}

struct Page<'a> {
    html: String,
    prefix: &'a str,
    admin_api: bool,
}

/// Text in HTML, in attributes too.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&#34;"),
            '\'' => f.write_str("&#39;"),
            char => f.write_char(char),
        })
    }
}

impl Page<'_> {
    fn write(&mut self, live: &[LiveGroup], about: &About, number: usize) -> fmt::Result {
        self.status(about)?;
        write!(self.html, "<h2>{} group{}</h2>", live.len(), if live.len() == 1 { "" } else { "s" })?;
        if self.admin_api && !live.is_empty() {
            let (url, count) = (format!("{}/api/v1/admin/wipe", self.prefix), live.len());
            write!(
                self.html,
                "<p><button data-method=\"PUT\" data-url=\"{}\" data-ask=\"Delete all {count} groups?\">Delete all \
                 {count} groups</button></p>",
                Text(&url)
            )?;
        }
        let pages = live.len().div_ceil(GROUPS_MAX).max(1);
        let number = number.clamp(1, pages);
        for group in live.iter().skip((number - 1) * GROUPS_MAX).take(GROUPS_MAX) {
            self.group(group)?;
        }
        if pages > 1 {
            self.html.push_str("<nav>Page");
            for page in 1..=pages {
                if page == number {
                    write!(self.html, " <b>{page}</b>")?;
                } else {
                    write!(self.html, " <a href=\"?page={page}\">{page}</a>")?;
                }
            }
            self.html.push_str("</nav>");
        }
        self.html.push_str("</main></body></html>\n");
        Ok(())
    }

    fn status(&mut self, about: &About) -> fmt::Result {
        self.html.push_str("<details class=\"status\"><summary>Status</summary><table>");
        let started = rfc3339(about.started_us);
        let rows = [
            ("started", &*started),
            ("version", &about.version),
            ("revision", &about.revision),
            ("branch", &about.branch),
            ("built by", &about.build_user),
            ("built at", &about.build_date),
            ("built with", &about.compiler),
        ];
        let flags = about.flags.iter().map(|(name, value)| (&**name, &**value));
        for (name, value) in rows.into_iter().chain(flags) {
            write!(self.html, "<tr><th>{}</th><td>{}</td></tr>", Text(name), Text(value))?;
        }
        self.html.push_str("</table></details>");
        Ok(())
    }

    fn group(&mut self, group: &LiveGroup) -> fmt::Result {
        self.html.push_str("<section><h3>");
        let (job, rest): (Vec<_>, Vec<_>) = group.labels.iter().partition(|label| &*label.name == "job");
        for label in job.into_iter().chain(rest) {
            write!(self.html, "<span class=\"label\">{}={}</span> ", Text(&label.name), Text(&label.value))?;
        }
        if !last_push_succeeded(group) {
            self.html.push_str("<span class=\"failed\">Last push failed!</span> ");
        }
        let url = format!("{}{}", self.prefix, group_path(&group.labels));
        let ask = format!("Delete the group {}?", group.labels);
        write!(
            self.html,
            "<button data-method=\"DELETE\" data-url=\"{}\" data-ask=\"{}\">Delete group</button></h3>",
            Text(&url),
            Text(&ask)
        )?;
        for family in &group.families {
            self.family(family)?;
        }
        self.html.push_str("</section>");
        Ok(())
    }

    fn family(&mut self, held: &HeldFamily) -> fmt::Result {
        write!(
            self.html,
            "<details><summary><b>{}</b> <span class=\"type\">{}</span> <span class=\"help\">{}</span> <time>last \
             pushed {}</time></summary><table>",
            Text(&held.name),
            held.metadata.r#type,
            Text(&held.metadata.help),
            rfc3339(held.pushed_us)
        )?;
        let metrics: Vec<Metric> =
            scrape::families_of(held).into_iter().flat_map(|family| family.metrics).collect();
        for metric in metrics.iter().take(METRICS_MAX) {
            self.html.push_str("<tr><td>");
            for (name, value) in &metric.labels {
                write!(self.html, "<span class=\"label\">{}={}</span> ", Text(name), Text(value))?;
            }
            write!(self.html, "</td><td>{}</td></tr>", Text(&value_text(&metric.value)))?;
        }
        if let Some(more) = metrics.len().checked_sub(METRICS_MAX).filter(|more| *more > 0) {
            write!(self.html, "<tr><td>and {more} more</td><td></td></tr>")?;
        }
        self.html.push_str("</table></details>");
        Ok(())
    }
}

/// The path at which a group can be deleted, whatever its labels hold.
fn group_path(labels: &Labels) -> String {
    let encoded = |value: &Arc<str>| URL_SAFE.encode(value.as_bytes());
    let mut path = String::new();
    if let Some(job) = labels.get_shared("job") {
        path.push_str(&format!("/metrics/job@base64/{}", encoded(job)));
    }
    for label in labels.iter().filter(|label| &*label.name != "job") {
        path.push_str(&format!("/{}@base64/{}", label.name, encoded(&label.value)));
    }
    path
}

fn value_text(value: &MetricValue) -> String {
    match value {
        MetricValue::Absent => String::new(),
        MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
            shortest(*value)
        }
        MetricValue::Summary(summary) => {
            let quantiles = summary.quantiles.iter().map(|q| (shortest(q.quantile), shortest(q.value)));
            listed(summary.count as f64, summary.sum, quantiles)
        }
        MetricValue::Histogram(histogram) => match &histogram.native {
            Some(native) => format!("{native}"),
            None => {
                let bucket = |b: &wire::Bucket| (shortest(b.upper_bound), shortest(b.cumulative_count));
                listed(histogram.count, histogram.sum, histogram.buckets.iter().map(bucket))
            }
        },
    }
}

fn listed(count: f64, sum: f64, parts: impl Iterator<Item = (String, String)>) -> String {
    let parts = parts.map(|(bound, value)| format!("{bound}: {value}"));
    let parts: Vec<String> =
        parts.chain([format!("count: {count}"), format!("sum: {}", shortest(sum))]).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use model::{GroupKey, Metadata, MetricType, Value};

    use super::*;

    fn group(labels: Labels) -> LiveGroup {
        let series = labels.to_builder().set(Labels::NAME, "a").build();
        let family = HeldFamily {
            name: "a".into(),
            metadata: Metadata { r#type: MetricType::Gauge, help: "<b>Help</b>".into(), unit: "".into() },
            pushed_us: 1_795_370_073_531_006,
            series: vec![(series, Value::Float(1.5))],
        };
        LiveGroup { key: GroupKey::of(&labels), labels, until_us: None, families: vec![family] }
    }

    #[test]
    fn nothing_that_was_pushed_is_taken_for_html() {
        let live = [group(Labels::from_pairs([("job", "\"><script>alert(1)</script>"), ("x", "/a'b")]))];
        let page = web_page(&live, &About::default(), &Web::default(), "/pre", 1);
        assert!(!page.contains("<script>alert") && !page.contains("<b>Help"), "{page}");
        assert!(
            page.contains("&lt;b&gt;Help&lt;/b&gt;") && page.contains("2026-11-22T17:54:33.531006Z"),
            "{page}"
        );
        let url =
            "data-url=\"/pre/metrics/job@base64/Ij48c2NyaXB0PmFsZXJ0KDEpPC9zY3JpcHQ-/x@base64/L2EnYg==\"";
        assert!(page.contains(url), "{page}");
        assert!(!page.contains("admin/wipe"));
        let web = Web { admin_api: true, ..Web::default() };
        assert!(web_page(&live, &About::default(), &web, "", 1).contains("data-url=\"/api/v1/admin/wipe\""));
    }

    #[test]
    fn many_groups_are_on_several_pages() {
        let live: Vec<_> = (0..GROUPS_MAX + 1)
            .map(|index| group(Labels::from_pairs([("job", format!("j{index}"))])))
            .collect();
        let page = |number| web_page(&live, &About::default(), &Web::default(), "", number);
        assert_eq!(page(1).matches("<section>").count(), GROUPS_MAX);
        assert_eq!(page(2).matches("<section>").count(), 1);
        assert_eq!(page(99), page(2));
        assert_eq!(page(0), page(1));
    }
}
