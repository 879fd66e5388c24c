//! What every store must do, as one suite of cases that runs on each of them.

mod conditional;
mod listing;
mod objects;
mod processes;
mod ranges;
mod subjects;

use std::any::Any;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

/// A store under test.
pub(crate) struct Subject {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The case's own part of the store.
    pub(crate) root: Location,
    /// Whether lists come in the order of the whole paths.
    pub(crate) sorted: bool,
    /// Whatever must live as long as the store.
    pub(crate) _guard: Box<dyn Any + Send + Sync>,
}

impl Subject {
    /// A path in the part of this case, taken literally.
    fn at(&self, path: &str) -> Location {
        Location::parse(format!("{}/{path}", self.root)).unwrap()
    }

    /// The path without the part of this case.
    fn short(&self, location: &Location) -> String {
        location.as_ref().strip_prefix(&format!("{}/", self.root)).unwrap().to_string()
    }

    async fn put(&self, path: &str, content: &str) {
        self.store.put(&self.at(path), content.to_string().into()).await.unwrap();
    }

    async fn put_all(&self, paths: impl IntoIterator<Item = String>) {
        let puts = paths.into_iter().map(|path| async move { self.put(&path, &path).await });
        futures::stream::iter(puts).buffer_unordered(64).collect::<()>().await;
    }

    async fn read(&self, path: &str) -> String {
        let read = self.store.get(&self.at(path)).await.unwrap().bytes().await.unwrap();
        String::from_utf8(read.to_vec()).unwrap()
    }

    async fn list(&self, prefix: &Location) -> Vec<String> {
        let metas: Vec<ObjectMeta> = self.store.list(Some(prefix)).try_collect().await.unwrap();
        self.in_order(metas.iter().map(|meta| self.short(&meta.location)).collect())
    }

    /// The paths as they came, or sorted if the store promises nothing.
    fn in_order(&self, mut paths: Vec<String>) -> Vec<String> {
        if !self.sorted {
            paths.sort();
        }
        paths
    }

    async fn list_after(&self, prefix: &Location, offset: &str) -> Vec<String> {
        let offset = Location::parse(offset).unwrap();
        let found = self.store.list_with_offset(Some(prefix), &offset);
        self.in_order(found.map_ok(|meta| self.short(&meta.location)).try_collect().await.unwrap())
    }

    /// Removes what the case left.
    async fn clean(&self) {
        let found = self.store.list(Some(&self.root)).map_ok(|meta| meta.location).boxed();
        self.store.delete_stream(found).try_collect::<Vec<_>>().await.unwrap();
    }
}

/// Makes one test of every case. `$open` is an async function from the name of the case to an optional [`Subject`]; a
/// store that is not there is skipped.
macro_rules! suite {
    ($open:path) => {
        suite!($open, conditional: create_has_one_winner, update_has_one_winner, conditions_hold,
            counters_end_at_the_sum, gets_can_be_conditional);
        suite!($open, listing: lists_beyond_a_page, offsets_are_exclusive, prefixes_are_whole_segments,
            levels_show_objects_and_prefixes, order_is_that_of_whole_paths);
        suite!($open, ranges: ranges_are_cut_at_the_end, ranges_outside_are_errors, empty_objects_are_objects,
            heads_tell_the_size);
        suite!($open, objects: overwrites_and_reads_back, missing_objects_are_not_found, deletes_of_missing_objects_pass,
            deletes_many_at_once, odd_characters_survive, large_objects_survive, uploads_come_in_parts,
            copies_and_moves);
    };
    ($open:path, $module:ident: $($case:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            if let Some(subject) = $open(stringify!($case)).await {
                crate::contract::$module::$case(&subject).await;
                subject.clean().await;
            }
        })*
    };
}
pub(crate) use suite;
