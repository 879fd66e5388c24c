//! A large object that is damaged: what is read of it is what was written, or the answer says that it lacks it.

use std::sync::Arc;

use futures::TryStreamExt;
use model::MatchOp::Equal;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::world::{reader, selection, write};

async fn largest(store: &Arc<dyn ObjectStore>) -> (Path, Vec<u8>) {
    let objects: Vec<_> = store.list(None).try_collect().await.expect("lists");
    let object = objects.into_iter().max_by_key(|object| object.size).expect("some").location;
    let bytes = store.get(&object).await.expect("there").bytes().await.expect("whole");
    (object, bytes.to_vec())
}

#[tokio::test]
async fn damage_anywhere_is_told_or_does_not_matter() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let (object, whole) = largest(&store).await;
    let one = selection(&[("__name__", Equal, "metric_3")]);
    let expect = reader(&store, 0, 0).select(&one).await.expect("reads").found;
    let (mut told, mut unaffected) = (0, 0);
    let near_the_end = (1..=10).map(|step| whole.len() - step);
    for at in (0..20).map(|step| step * whole.len() / 20).chain(near_the_end) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        store.put(&object, damaged.into()).await.expect("written");
        let answer = reader(&store, 0, 0).select(&one).await.expect("reads");
        match answer.left_out.is_empty() {
            true => assert!(answer.found == expect, "byte {at}"),
            false => assert_eq!(answer.left_out[0].object, object),
        }
        told += usize::from(!answer.left_out.is_empty());
        unaffected += usize::from(answer.left_out.is_empty());
    }
    assert!(told >= 5 && unaffected >= 5, "{told} told of, {unaffected} not needed");
}

#[tokio::test]
async fn an_object_that_was_cut_is_told() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let (object, whole) = largest(&store).await;
    for length in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        store.put(&object, whole[..length].to_vec().into()).await.expect("written");
        let answer = reader(&store, 0, 0).select(&selection(&[])).await.expect("reads");
        assert_eq!(answer.left_out.len(), 1, "{length} bytes");
    }
}

#[tokio::test]
async fn an_object_that_is_put_right_or_goes_away_while_pages_are_kept() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let (object, whole) = largest(&store).await;
    let reader = reader(&store, 0, 64 << 20);
    let one = selection(&[("__name__", Equal, "metric_3")]);
    let mut damaged = whole.clone();
    damaged[..whole.len() - 1_000].fill(0);
    store.put(&object, damaged.into()).await.expect("written");
    assert_eq!(reader.select(&one).await.expect("reads").left_out.len(), 1);
    store.put(&object, whole.into()).await.expect("written");
    let now = reader.select(&one).await.expect("reads").left_out;
    assert_eq!(now, [], "put right");
    store.delete(&object).await.expect("deleted");
    let after = reader.select(&one).await.expect("reads");
    assert!(after.left_out.is_empty() && after.found.iter().all(|series| series.samples.is_empty()));
    assert!(!after.found.is_empty(), "what was pushed is there");
}
