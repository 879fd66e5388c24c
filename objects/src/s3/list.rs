//! Lists, page by page. Keys that are no object paths (`a//b`, `folder/`) are passed over: nobody here put them.
//!
//! AWS lists in the order of the whole keys. SeaweedFS walks folders: `a/1` comes before `a-b`, and an offset that is
//! the name of a folder skips what is below it. So the server is given an offset just before the wanted one, and what
//! comes back is compared again.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{ListResult, ObjectMeta, Result};

use super::Bucket;
use super::error::S3Error;
use super::get::to_chrono;

/// What a list asks for.
#[derive(Debug, Clone)]
struct Query {
    bucket: Bucket,
    /// Empty, or ending in a slash.
    prefix: String,
    offset: Option<String>,
    one_level: bool,
}

/// Where a list is.
enum Next {
    First,
    Token(String),
    End,
}

impl Query {
    fn new(bucket: &Bucket, prefix: Option<&Location>, offset: Option<&Location>, one_level: bool) -> Self {
        let prefix = prefix.filter(|prefix| !prefix.is_root()).map(|prefix| format!("{prefix}/"));
        Self {
            bucket: bucket.clone(),
            prefix: prefix.unwrap_or_default(),
            offset: offset.filter(|offset| !offset.is_root()).map(ToString::to_string),
            one_level,
        }
    }

    fn pages(self) -> BoxStream<'static, Result<ListResult>> {
        futures::stream::try_unfold((self, Next::First), |(query, next)| async move {
            let token = match next {
                Next::First => None,
                Next::Token(token) => Some(token),
                Next::End => return Ok(None),
            };
            let page = query.page(token).await;
            let (page, next) = page.map_err(|error| error.into_store(&Location::from(&*query.prefix)))?;
            Ok(Some((page, (query, next))))
        })
        .boxed()
    }

    async fn page(&self, token: Option<String>) -> Result<(ListResult, Next), S3Error> {
        let url = || format!("{}/{}", self.bucket.url(), self.prefix);
        let answer = self
            .bucket
            .client()
            .await
            .list_objects_v2()
            .bucket(&self.bucket.settings.bucket)
            .set_prefix(Some(self.prefix.clone()).filter(|prefix| !prefix.is_empty()))
            .set_delimiter(self.one_level.then(|| "/".into()))
            .set_start_after(self.offset.as_deref().filter(|_| token.is_none()).map(just_before))
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| S3Error::new("list", url(), error))?;
        let bad = |what| S3Error::BadAnswer { action: "list", url: url(), what };
        let next = match (answer.is_truncated.unwrap_or_default(), answer.next_continuation_token) {
            (false, _) => Next::End,
            (true, Some(token)) => Next::Token(token),
            (true, None) => return Err(bad("continuation token")),
        };
        let mut objects = Vec::new();
        for object in answer.contents.unwrap_or_default() {
            let Some(location) = object.key.as_deref().and_then(exact) else { continue };
            if self.offset.as_ref().is_some_and(|offset| location.as_ref() <= offset.as_str()) {
                continue;
            }
            objects.push(ObjectMeta {
                location,
                last_modified: object.last_modified.and_then(to_chrono).ok_or_else(|| bad("time"))?,
                size: object.size.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| bad("size"))?,
                e_tag: object.e_tag,
                version: None,
            });
        }
        let prefixes = answer.common_prefixes.unwrap_or_default().into_iter();
        let prefixes = prefixes.filter_map(|found| exact(found.prefix?.strip_suffix('/')?));
        Ok((ListResult { common_prefixes: prefixes.collect(), objects }, next))
    }
}

/// A key before this one, with as good as nothing between them; the same key where that is not simple.
fn just_before(key: &str) -> String {
    match key.as_bytes().split_last() {
        Some((last, _)) if last.is_ascii_alphanumeric() && !b"0".contains(last) => {
            format!("{}{}~", &key[..key.len() - 1], char::from(last - 1))
        }
        Some((b'0', _)) => format!("{}.~", &key[..key.len() - 1]),
        _ => key.to_string(),
    }
}

/// The path that has exactly this key.
fn exact(key: &str) -> Option<Location> {
    Location::parse(key).ok().filter(|location| location.as_ref() == key && !location.is_root())
}

/// All objects below a prefix, after an offset.
pub(super) fn list(
    bucket: &Bucket,
    prefix: Option<&Location>,
    offset: Option<&Location>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    Query::new(bucket, prefix, offset, false)
        .pages()
        .map_ok(|page| futures::stream::iter(page.objects).map(Ok))
        .try_flatten()
        .boxed()
}

/// One level below a prefix.
pub(super) async fn list_level(bucket: &Bucket, prefix: Option<&Location>) -> Result<ListResult> {
    let mut pages = Query::new(bucket, prefix, None, true).pages();
    let mut all = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
    while let Some(page) = pages.try_next().await? {
        all.objects.extend(page.objects);
        all.common_prefixes.extend(page.common_prefixes);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_come_just_before() {
        let check = |key: &str, expected: &str| {
            assert_eq!(just_before(key), expected);
            assert!(expected <= key);
        };
        check("hot/29392813", "hot/29392812~");
        check("hot/29392810", "hot/2939281.~");
        check("a/Z", "a/Y~");
        check("a/b", "a/a~");
        check("a/é", "a/é");
        check("a/-", "a/-");
        check("a", "`~");
        check("a/A", "a/@~");
    }

    #[test]
    fn passes_over_what_is_no_path() {
        let check = |key: &str, expected: bool| assert_eq!(exact(key).is_some(), expected, "{key:?}");
        check("a/b", true);
        check("a b%2F", true);
        for key in ["", "/a", "a/", "a//b", "a/../b", "a\nb"] {
            check(key, false);
        }
    }
}
