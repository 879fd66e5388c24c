//! Runs, frames and the lists beside runs, compared with what the manifest says of them.

use futures::stream::{self, StreamExt};
use object_store::path::Path;

use super::verify::{READS_MAX, Verified, disorder};
use super::{InspectError, Inspector};
use crate::compact::{ids, keys, sealed_list};
use crate::manifest::{Manifest, Object, Run};
use crate::segment::{Segment, SeriesRows, footer_start};

/// Files that follow each other, and where the times of their rows must lie: from the first on, before the second.
struct Following<'m> {
    called: String,
    objects: &'m [Object],
    within_us: (i64, i64),
}

impl Inspector {
    /// Gives what is not there.
    pub(super) async fn verify_merged(
        &self,
        manifest: &Manifest,
        verified: &mut Verified,
    ) -> Result<Vec<Path>, InspectError> {
        let mut missing = Vec::new();
        for run in &manifest.runs {
            let within_us = match run.day {
                Some(day) => (day.start().start_us(), day.next().start().start_us()),
                None => (run.from.start_us(), run.to.start_us()),
            };
            let called = format!("the run from {} to {}", run.from, run.to);
            self.verify_files(Following { called, objects: &run.objects, within_us }, verified, &mut missing)
                .await?;
            self.verify_lists(run, verified, &mut missing).await?;
        }
        for frame in &manifest.frames {
            let within_us = (i64::MIN, frame.at.start_us());
            let called = format!("the frame at {}", frame.at);
            self.verify_files(
                Following { called, objects: &frame.objects, within_us },
                verified,
                &mut missing,
            )
            .await?;
        }
        Ok(missing)
    }

    async fn verify_files(
        &self,
        Following { called, objects, within_us }: Following<'_>,
        verified: &mut Verified,
        missing: &mut Vec<Path>,
    ) -> Result<(), InspectError> {
        let read = |object: &Object| {
            let (path, checksum) = (self.stream.below(&object.name), object.checksum);
            async move {
                let file = self.file(&path, checksum).await;
                (path, file)
            }
        };
        // as a list, since this could not be spawned otherwise
        let reads: Vec<_> = objects.iter().map(read).collect();
        let mut reads = std::pin::pin!(stream::iter(reads).buffered(READS_MAX).zip(stream::iter(objects)));
        let mut last: Option<SeriesRows> = None;
        while let Some(((path, file), object)) = reads.next().await {
            let Some((content, found)) = file? else {
                missing.push(path);
                continue;
            };
            verified.read(&content);
            let length = content.len() as u64;
            if length != object.bytes {
                verified.complain(
                    &path,
                    format!("it has {length} bytes, and the manifest says {}", object.bytes),
                );
            }
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    verified.complain(&path, error.to_string());
                    continue;
                }
            };
            verified.rows += found.row_count() as u64;
            let footer = footer_start(length, &content).unwrap_or(0);
            differences(object, &found, footer).into_iter().for_each(|what| verified.complain(&path, what));
            if let Some(at_us) = outside(&found, within_us) {
                verified.complain(&path, format!("it has a row of {at_us}, which is not in {called}"));
            }
            disorder(&found).into_iter().for_each(|what| verified.complain(&path, what));
            let first = found.series.first();
            if let (Some(last), Some(first)) = (&last, first)
                && last.order() > first.order()
            {
                verified
                    .complain(&path, format!("{} stands after {} in {called}", first.labels, last.labels));
            }
            last = found.series.last().cloned().or(last);
        }
        Ok(())
    }

    async fn verify_lists(
        &self,
        run: &Run,
        verified: &mut Verified,
        missing: &mut Vec<Path>,
    ) -> Result<(), InspectError> {
        let (mut bytes, mut is_whole) = (0, true);
        let keys = run.keys.iter().map(|name| (name, wrong_keys as Wrong));
        for (name, wrong) in keys.chain(run.ids.iter().map(|name| (name, wrong_ids as Wrong))) {
            let path = self.stream.below(name);
            let Some(content) = self.read(&path).await? else {
                missing.push(path);
                is_whole = false;
                continue;
            };
            verified.read(&content);
            bytes += content.len() as u64;
            wrong(&content, run).into_iter().for_each(|what| verified.complain(&path, what));
        }
        // manifests of earlier versions do not tell it
        if is_whole && run.list_bytes != 0 && bytes != run.list_bytes {
            let what = format!(
                "the lists of the run from {} to {} have {bytes} bytes, not {}",
                run.from, run.to, run.list_bytes
            );
            verified.complain(&self.stream.manifest(), what);
        }
        Ok(())
    }
}

/// What is wrong with a list beside a run.
type Wrong = fn(&[u8], &Run) -> Option<String>;

fn wrong_ids(content: &[u8], run: &Run) -> Option<String> {
    let Some(found) = sealed_list::decode::<ids::Id>(content) else {
        return Some("damaged: it is no list of ids".to_owned());
    };
    let (.., minute) = found.iter().find(|(.., minute)| *minute >= run.to)?;
    Some(format!("it has a segment of {minute}, and the run ends at {}", run.to))
}

fn wrong_keys(content: &[u8], run: &Run) -> Option<String> {
    let Some(found) = sealed_list::decode::<keys::Counted>(content) else {
        return Some("damaged: it is no list of retry keys".to_owned());
    };
    let within = run.from.start_us()..run.to.start_us();
    let (_, stamp) = found.iter().find(|(_, stamp)| !within.contains(&stamp.at_us))?;
    Some(format!("it has a push of {}, and the run goes from {} to {}", stamp.at_us, run.from, run.to))
}

/// What the manifest says of a file and is not so.
fn differences(object: &Object, found: &Segment, footer: u64) -> Vec<String> {
    let rows = found.row_count() as u64;
    let head_rows = rows - found.rows.len() as u64;
    let called = |series: &SeriesRows| series.labels.metric_name().to_owned();
    let names = found.series.first().zip(found.series.last()).map(|(a, b)| (called(a), called(b)));
    let mut wrong = Vec::new();
    let mut compare = |what: &str, is: String, says: String| {
        if is != says {
            wrong.push(format!("{what}: it has {is}, and the manifest says {says}"));
        }
    };
    compare("rows", rows.to_string(), object.rows.to_string());
    compare("rows of the head", head_rows.to_string(), object.head_rows.to_string());
    compare("series", found.series.len().to_string(), object.series.to_string());
    compare(
        "times",
        format!("{:?}", found.time_range().unwrap_or_default()),
        format!("{:?}", object.times_us),
    );
    compare("metric names", format!("{names:?}"), format!("{:?}", object.names));
    compare("beginning of the footer", footer.to_string(), object.footer_start.to_string());
    wrong
}

/// The time of a row that lies elsewhere.
fn outside(file: &Segment, (from_us, end_us): (i64, i64)) -> Option<i64> {
    file.rows.at_us.iter().copied().find(|at_us| !(from_us..end_us).contains(at_us))
}
