use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use object_store::path::Path as Object;
use tempfile::TempDir;

use super::*;
use crate::writer::tests::until;

fn page(start: u64) -> Piece {
    Piece::Page(Object::from("tenant/object"), start)
}

fn bytes(of: u8, length: usize) -> Bytes {
    vec![of; length].into()
}

fn open(folder: &TempDir, bytes_max: u64) -> Arc<DiskCache> {
    Arc::new(DiskCache::open(folder.path(), bytes_max).expect("opens"))
}

async fn put(cache: &Arc<DiskCache>, start: u64, of: u8, length: usize) {
    cache.put(vec![(page(start), bytes(of, length))], cache.cleared());
    cache.settled().await;
}

async fn get(cache: &Arc<DiskCache>, start: u64) -> Option<Bytes> {
    cache.get(vec![page(start)]).await.pop().expect("one answer")
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.path().join("entries"))
        .expect("lists")
        .flat_map(|folder| fs::read_dir(folder.expect("a folder").path()).expect("lists"))
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn copies_outlive_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 1 << 20);
    put(&cache, 1, b'a', 10).await;
    assert_eq!((get(&cache, 1).await, get(&cache, 2).await), (Some(bytes(b'a', 10)), None));
    let stats = DiskCacheStats { found: 1, missed: 1, bytes: BLOCK_BYTES, ..DiskCacheStats::default() };
    assert_eq!(cache.stats(), stats);

    let taken = DiskCache::open(folder.path(), 1 << 20).expect_err("in use");
    assert!(taken.to_string().ends_with("is in use by another process: each needs a folder of its own"));
    drop(cache);
    // what was not written to the end
    fs::write(folder.path().join("new/7"), "x").expect("written");
    let cache = open(&folder, 1 << 20);
    assert_eq!(get(&cache, 1).await, Some(bytes(b'a', 10)));
    assert!(!folder.path().join("new/7").exists());
}

#[tokio::test]
async fn what_was_not_used_for_longest_makes_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 3 * BLOCK_BYTES);
    for start in 0..3 {
        put(&cache, start, b'a', 10).await;
    }
    assert!(get(&cache, 0).await.is_some());
    put(&cache, 3, b'a', 10).await;
    assert_eq!((get(&cache, 1).await, files(&folder).len()), (None, 3));
    // takes all but one of three blocks, since there is more in a file than the copy
    put(&cache, 4, b'b', 4 << 10).await;
    let held =
        [get(&cache, 0).await.is_some(), get(&cache, 3).await.is_some(), get(&cache, 4).await.is_some()];
    assert_eq!((held, files(&folder).len()), ([false, true, true], 2));
    // larger than all of it
    put(&cache, 5, b'c', 12 << 10).await;
    assert_eq!((get(&cache, 5).await, files(&folder).len(), cache.stats().bytes), (None, 2, 3 * BLOCK_BYTES));

    // a smaller bound at the next start
    drop(cache);
    let cache = open(&folder, BLOCK_BYTES);
    // the last one written is too large
    assert_eq!((get(&cache, 3).await.is_some(), files(&folder).len()), (true, 1));
    assert_eq!(cache.stats().bytes, BLOCK_BYTES);
}

#[tokio::test]
async fn a_damaged_copy_is_none_and_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 1 << 20);
    put(&cache, 1, b'a', 10).await;
    let file = files(&folder).remove(0);
    let mut whole = fs::read(&file).expect("read");
    *whole.last_mut().expect("not empty") ^= 1;
    fs::write(&file, &whole).expect("written");
    assert_eq!(get(&cache, 1).await, None);
    assert_eq!((files(&folder), cache.stats().damaged, cache.stats().bytes), (vec![], 1, 0));
    put(&cache, 1, b'a', 10).await;
    assert_eq!(get(&cache, 1).await, Some(bytes(b'a', 10)));

    // somebody cleans up
    fs::remove_dir_all(folder.path().join("entries")).expect("removed");
    assert_eq!((get(&cache, 1).await, cache.stats().failures), (None, 0));
    put(&cache, 1, b'a', 10).await;
    assert_eq!(get(&cache, 1).await, Some(bytes(b'a', 10)));
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 1 << 20);
    fs::remove_dir(folder.path().join("new")).expect("removed");
    put(&cache, 1, b'a', 10).await;
    assert_eq!((get(&cache, 1).await, cache.stats().failures), (None, 1));
}

#[tokio::test]
async fn what_is_old_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 1 << 20);
    put(&cache, 1, b'a', 10).await;
    let file = files(&folder).remove(0);
    let written = fs::metadata(&file).and_then(|file| file.modified()).expect("a time");
    cache.remove_older(written);
    assert!(get(&cache, 1).await.is_some());
    cache.remove_older(written + Duration::from_secs(1));
    assert_eq!((get(&cache, 1).await, files(&folder)), (None, vec![]));
}

#[tokio::test]
async fn a_cache_that_is_cleared_has_nothing_but_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(&folder, 1 << 20);
    put(&cache, 1, b'a', 10).await;
    cache.clear("manifest.json".into(), "1: 1".into());
    assert_eq!(get(&cache, 1).await, None);
    until(|| files(&folder).len() == 1 && cache.stats().bytes == BLOCK_BYTES).await;
    let note = cache.get(vec![Piece::Deletions("manifest.json".into())]).await;
    assert_eq!(note, [Some("1: 1".into())]);
    put(&cache, 1, b'a', 10).await;
    assert_eq!(get(&cache, 1).await, Some(bytes(b'a', 10)));
}
