//! What of the data a request may see. There is no other way from the API to the source.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use access::{Bounds, Grant};
use async_trait::async_trait;
use axum::extract::FromRequestParts;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::request::Parts;
use model::{ExemplarSeries, Labels, NeededLabels, Selection, Series, Told};
use tokio::sync::mpsc;

use super::Api;
use super::time::TIME_MS_MAX;
use crate::source::{SeriesSource, SourceError, SourceNotes};

/// A source that is asked on behalf of somebody only.
pub(super) struct Guarded(Arc<dyn SeriesSource>);

impl Guarded {
    pub(super) fn new(source: Arc<dyn SeriesSource>) -> Self {
        Self(source)
    }

    /// What this grant lets see of it.
    pub(super) fn seen_by(&self, grant: &Grant) -> Arc<dyn SeriesSource> {
        if !grant.is_bounded() {
            return Arc::clone(&self.0);
        }
        Arc::new(Bounded { source: Arc::clone(&self.0), bounds: grant.bounds() })
    }
}

/// What the request may do, and the data as far as it may see them.
pub(super) struct Seen {
    pub(super) grant: Grant,
    pub(super) source: Arc<dyn SeriesSource>,
}

impl FromRequestParts<Arc<Api>> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Infallible> {
        let grant = parts.extensions.get::<Grant>().cloned().unwrap_or_default();
        let source = api.source_for(&grant);
        Ok(Self { grant, source })
    }
}

/// Of a source, the series within bounds. Each selection gets the matchers of the bounds beside its own, so nothing else is even
/// read, and what a query makes of its own matchers (`absent`) stays as it is.
struct Bounded {
    source: Arc<dyn SeriesSource>,
    bounds: Bounds,
}

impl Bounded {
    fn within(&self, selection: &Selection) -> Selection {
        Selection { matchers: self.bounds.and(&selection.matchers), ..*selection }
    }

    fn all_within(&self, selections: &[Selection]) -> Vec<Selection> {
        selections.iter().map(|selection| self.within(selection)).collect()
    }
}

#[async_trait]
impl SeriesSource for Bounded {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        self.source.select(&self.within(selection), notes).await
    }

    async fn select_labels(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        notes: &SourceNotes,
    ) -> Result<Vec<Series>, SourceError> {
        self.source.select_labels(&self.within(selection), needed, notes).await
    }

    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        needed: &'a NeededLabels,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        let selection = self.within(selection);
        let (give, mut given) = mpsc::channel(1);
        let read = async move {
            let mut batches = self.source.batches(&selection, needed, notes);
            while let Some(batch) = batches.next().await {
                // whoever asked may want no more
                if give.send(batch).await.is_err() {
                    return;
                }
            }
        };
        let reading = stream::once(read).filter_map(async |()| None);
        stream::select(stream::poll_fn(move |context| given.poll_recv(context)), reading).boxed()
    }

    async fn series(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Labels>, SourceError> {
        self.source.series(&self.all_within(selections), notes).await
    }

    async fn label_names(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        self.source.label_names(&self.all_within(selections), notes).await
    }

    async fn label_values(
        &self,
        name: &str,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        self.source.label_values(name, &self.all_within(selections), notes).await
    }

    async fn exemplars(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<ExemplarSeries>, SourceError> {
        self.source.exemplars(&self.all_within(selections), notes).await
    }

    /// What was told from within the bounds, and all that is told of families of which every series lies within them.
    async fn metadata(&self, notes: &SourceNotes) -> Result<Vec<(Arc<str>, Vec<Told>)>, SourceError> {
        let always = |matchers| Selection { matchers, start_ms: -TIME_MS_MAX, end_ms: TIME_MS_MAX };
        let within = self.label_values(Labels::NAME, &[always(Vec::new())], notes).await?;
        // outside is what does not match one of them
        let outside: Vec<Selection> =
            self.bounds.matchers().iter().map(|matcher| always(vec![matcher.negated()])).collect();
        let outside = self.source.label_values(Labels::NAME, &outside, notes).await?;
        let (within, outside) = (names(&within), names(&outside));
        let own = self.bounds.teller();
        let mut families = self.source.metadata(notes).await?;
        families.retain_mut(|(family, told)| {
            if !is_among(family, &within) || is_among(family, &outside) {
                told.retain(|told| told.by == own);
            }
            // one's own word first
            told.sort_by_key(|told| told.by != own);
            !told.is_empty()
        });
        Ok(families)
    }
}

fn names(names: &[Arc<str>]) -> HashSet<&str> {
    names.iter().map(|name| &**name).collect()
}

/// Whether one of these metrics is of a family.
fn is_among(family: &str, names: &HashSet<&str>) -> bool {
    let suffixes = ["", "_total", "_bucket", "_count", "_sum", "_created", "_info"];
    suffixes.iter().any(|suffix| names.contains(&*format!("{family}{suffix}")))
}

#[cfg(test)]
mod tests {
    use access::Scopes;
    use futures::TryStreamExt;
    use model::{MatchOp, Matcher, Metadata, Teller};

    use super::*;

    /// Of each job one series, in batches of one.
    struct Jobs;

    fn series(job: &str) -> Series {
        let name = if job == "team-b" { "team_rows_total" } else { "up" };
        Series { labels: Labels::from_pairs([("__name__", name), ("job", job)]), ..Series::default() }
    }

    #[async_trait]
    impl SeriesSource for Jobs {
        async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
            let all = ["other", "team-a", "team-b"].map(series).into_iter();
            Ok(all.filter(|series| selection.matches(&series.labels)).collect())
        }

        fn batches<'a>(
            &'a self,
            selection: &'a Selection,
            _: &'a NeededLabels,
            notes: &'a SourceNotes,
        ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
            let all = stream::once(self.select(selection, notes));
            all.map_ok(|all| stream::iter(all.into_iter().map(|one| Ok(vec![one])))).try_flatten().boxed()
        }

        async fn exemplars(
            &self,
            selections: &[Selection],
            notes: &SourceNotes,
        ) -> Result<Vec<ExemplarSeries>, SourceError> {
            let all = self.select(&selections[0], notes).await?.into_iter();
            Ok(all.map(|series| ExemplarSeries { labels: series.labels, exemplars: Vec::new() }).collect())
        }

        async fn metadata(&self, _: &SourceNotes) -> Result<Vec<(Arc<str>, Vec<Told>)>, SourceError> {
            let told = |help: &str, by: &str| Told {
                metadata: Metadata { help: help.into(), ..Metadata::default() },
                by: (!by.is_empty()).then(|| Teller::of(by)),
            };
            let of_team = r#"job=~"team-.*""#;
            let all = ["secret", "team_rows", "up"].map(|family| {
                (family.into(), vec![told("all", ""), told("b", "job=\"b\""), told("own", of_team)])
            });
            Ok(all.into_iter().chain([("none".into(), vec![told("all", "")])]).collect())
        }
    }

    #[tokio::test]
    async fn nothing_outside_of_the_bounds_is_read() {
        let matcher = Matcher::new("job", MatchOp::Regex, "team-.*").expect("a matcher");
        let grant = Grant::new("team", Scopes::ALL, None, Bounds::new(vec![matcher]));
        let source = Guarded::new(Arc::new(Jobs)).seen_by(&grant);
        let notes = SourceNotes::default();
        for (asked, expect) in [
            (vec![], &["team-a", "team-b"][..]),
            (vec![Matcher::equal("job", "team-b")], &["team-b"]),
            (vec![Matcher::equal("job", "other")], &[]),
        ] {
            let selection = Selection { matchers: asked, start_ms: 0, end_ms: 1 };
            let expect: Vec<Series> = expect.iter().map(|job| series(job)).collect();
            assert_eq!(source.select(&selection, &notes).await.expect("answers"), expect);
            let labels = source.select_labels(&selection, &NeededLabels::All, &notes).await;
            assert_eq!(labels.expect("answers"), expect);
            let batches =
                source.batches(&selection, &NeededLabels::All, &notes).try_collect::<Vec<_>>().await;
            assert_eq!(batches.expect("answers").concat(), expect);
            let selections = [selection];
            let jobs = source.label_values("job", &selections, &notes).await.expect("answers");
            assert_eq!(jobs.len(), expect.len());
            let exemplars = source.exemplars(&selections, &notes).await.expect("answers");
            let labels = |series: &[Series]| series.iter().map(|s| s.labels.clone()).collect::<Vec<_>>();
            assert_eq!(exemplars.into_iter().map(|of| of.labels).collect::<Vec<_>>(), labels(&expect));
        }
        let families = source.metadata(&notes).await.expect("answers");
        let shown = |(name, told): &(Arc<str>, Vec<Told>)| {
            let helps: Vec<&str> = told.iter().map(|told| &*told.metadata.help).collect();
            format!("{name} {}", helps.join(","))
        };
        // of up there is a series of another
        let expect = ["secret own", "team_rows own,all,b", "up own"];
        assert_eq!(families.iter().map(shown).collect::<Vec<_>>(), expect);
        let everything = Guarded::new(Arc::new(Jobs)).seen_by(&Grant::everything());
        assert_eq!(everything.metadata(&notes).await.expect("answers").len(), 4);
    }
}
