//! Full disks, failing syncs, file systems without hard links, folders that stand in the way.

use std::fs::File;
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, Result, UpdateVersion};

use crate::folder::{Entry, FileLayer, Folder, RealFiles};
use crate::{Outcome, outcome};

/// Which operation fails while the fault is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    DiskFull,
    FileSync,
    DirSync,
    Link,
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    on: AtomicBool,
}

impl Faulty {
    fn new(fault: Fault, on: bool) -> Arc<Self> {
        Arc::new(Self { fault, on: AtomicBool::new(on) })
    }

    fn fail(&self, fault: Fault, error: rustix::io::Errno) -> io::Result<()> {
        if self.fault == fault && self.on.load(Ordering::SeqCst) { Err(error.into()) } else { Ok(()) }
    }
}

impl FileLayer for Faulty {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.fail(Fault::DiskFull, rustix::io::Errno::NOSPC) {
            RealFiles.write_at(file, &bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        RealFiles.write_at(file, bytes, offset)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.fail(Fault::FileSync, rustix::io::Errno::IO)?;
        RealFiles.sync_file(file)
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        self.fail(Fault::DirSync, rustix::io::Errno::IO)?;
        RealFiles.sync_dir(dir)
    }

    fn link(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        self.fail(Fault::Link, rustix::io::Errno::PERM)?;
        RealFiles.link(from, to)
    }
}

async fn content(folder: &Folder, at: &Location) -> String {
    let bytes = folder.get(at).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn temp_files(root: &FilePath) -> usize {
    let files = |dir: io::Result<std::fs::DirEntry>| std::fs::read_dir(dir.unwrap().path()).unwrap().count();
    std::fs::read_dir(root.join(".mayfly/tmp")).unwrap().map(files).sum()
}

async fn check_fault(fault: Fault, expected_outcome: Outcome, expected_text: &str, expected_content: &str) {
    let dir = tempfile::tempdir().unwrap();
    let layer = Faulty::new(fault, false);
    let folder = Folder::open_on(dir.path(), Arc::clone(&layer) as _).unwrap();
    let at = Location::from("a/object");
    folder.put(&at, "old".into()).await.unwrap();

    layer.on.store(true, Ordering::SeqCst);
    let error = folder.put(&at, "the new content".into()).await.unwrap_err();
    assert_eq!(outcome(&error), expected_outcome, "{error}");
    let text = error.to_string();
    assert!(text.contains(expected_text) && text.contains(dir.path().to_str().unwrap()), "{text}");
    assert_eq!(content(&folder, &at).await, expected_content);
    assert_eq!(temp_files(dir.path()), 0);

    layer.on.store(false, Ordering::SeqCst);
    folder.put(&at, "newest".into()).await.unwrap();
    assert_eq!(content(&folder, &at).await, "newest");
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    check_fault(Fault::DiskFull, Outcome::NotDone, "No space left on device", "old").await;
}

#[tokio::test]
async fn a_file_that_cannot_be_synced_changes_nothing() {
    check_fault(Fault::FileSync, Outcome::NotDone, "Input/output error", "old").await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_synced_leaves_the_outcome_open() {
    check_fault(Fault::DirSync, Outcome::Unknown, "cannot sync the folder of", "the new content").await;
}

#[tokio::test]
async fn creates_exclusively_without_hard_links() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open_on(dir.path(), Faulty::new(Fault::Link, true)).unwrap();
    let at = Location::from("a/object");
    let mut winners = 0;
    let puts = (0..32).map(|number| {
        let (folder, at) = (folder.clone(), at.clone());
        tokio::spawn(
            async move { folder.put_opts(&at, number.to_string().into(), PutMode::Create.into()).await },
        )
    });
    for put in puts.collect::<Vec<_>>() {
        match put.await.unwrap() {
            Ok(_) => winners += 1,
            Err(error) => assert!(matches!(error, Error::AlreadyExists { .. }), "{error}"),
        }
    }
    assert_eq!(winners, 1);
    let other = Location::from("b/other");
    folder.put(&other, "other".into()).await.unwrap();
    let error = folder.rename_if_not_exists(&other, &at).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    folder.rename_if_not_exists(&other, &Location::from("b/free")).await.unwrap();
    assert_eq!(content(&folder, &Location::from("b/free")).await, "other");
}

#[tokio::test]
async fn says_what_stands_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let put =
        async |at: &str, mode: PutMode| folder.put_opts(&Location::from(at), "x".into(), mode.into()).await;
    put("a/file", PutMode::Create).await.unwrap();
    std::os::unix::fs::symlink("/tmp", dir.path().join("link")).unwrap();

    let check = |result: Result<_>, expected: &str| {
        let error: Error = result.map(|_: object_store::PutResult| ()).unwrap_err();
        assert_eq!(outcome(&error), Outcome::NotDone, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let below = format!("below {}/a/file: it is not a folder", dir.path().display());
    check(put("a/file/below", PutMode::Create).await, &below);
    check(put("a/file/below", PutMode::Overwrite).await, &below);
    let above = format!("at {}/a: it is a folder", dir.path().display());
    check(put("a", PutMode::Create).await, &above);
    check(put("a", PutMode::Overwrite).await, &above);
    check(put("link/x", PutMode::Create).await, "link: it is not a folder");
    check(put(".mayfly/x", PutMode::Create).await, "keeps its own files");
    let no_etag = PutMode::Update(UpdateVersion { e_tag: None, version: None });
    check(put("a/file", no_etag).await, "needs an etag");

    for absent in ["a", "a/file/below", "link", "nowhere/x"] {
        let error = folder.get(&Location::from(absent)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        folder.delete(&Location::from(absent)).await.unwrap();
    }
    let found: Vec<_> =
        folder.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(found, ["a/file"]);
}

#[tokio::test]
async fn empty_folders_vanish_with_their_last_object() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    for at in ["a/b/c/one", "a/two"] {
        folder.put(&Location::from(at), "x".into()).await.unwrap();
    }
    folder.delete(&Location::from("a/b/c/one")).await.unwrap();
    assert!(!dir.path().join("a/b").exists() && dir.path().join("a/two").exists());
    folder.put(&Location::from("a/b/c/one"), "x".into()).await.unwrap();
    std::fs::remove_dir_all(dir.path().join("a")).unwrap();
    folder.put(&Location::from("a/b/c/one"), "x".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn puts_and_deletes_of_one_folder_do_not_trip_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let other = Folder::open(dir.path()).unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let folder = if task % 2 == 0 { folder.clone() } else { other.clone() };
            tokio::spawn(async move {
                let at = Location::from(format!("a/b/{task}"));
                for _ in 0..50 {
                    folder.put_opts(&at, "x".into(), PutMode::Create.into()).await.unwrap();
                    folder.head(&at).await.unwrap();
                    folder.delete(&at).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(!dir.path().join("a").exists());
}
