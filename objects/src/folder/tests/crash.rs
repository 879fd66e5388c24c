//! Pulls the plug before every single file operation, and leaves out every single sync.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, Result, UpdateVersion};

use super::forgetful::{Crash, Forgetful};
use crate::folder::Folder;

/// Objects and their content.
type Objects = BTreeMap<String, String>;

/// One change, and what it makes of the objects.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create(&'static str, &'static str),
    Overwrite(&'static str, &'static str),
    Update(&'static str, &'static str),
    Copy(&'static str, &'static str),
    Rename(&'static str, &'static str),
    RenameToFree(&'static str, &'static str),
    Parts(&'static str, &'static str),
    Delete(&'static str),
}

/// Every kind of change, in folders that are new, shared, emptied and made again.
const STEPS: &[Step] = &[
    Step::Create("a/b/one", "first"),
    Step::Overwrite("a/b/one", "second"),
    Step::Update("a/b/one", "third"),
    Step::Overwrite("a/c/two", "two"),
    Step::Copy("a/b/one", "d/three"),
    Step::Rename("a/c/two", "e/f/four"),
    Step::RenameToFree("e/f/four", "e/five"),
    Step::Parts("g/h/six", "parts"),
    Step::Delete("a/b/one"),
    Step::Create("a/b/one", "again"),
    Step::Create("top", "in the root"),
];

impl Step {
    async fn run(self, folder: &Folder) -> Result<()> {
        let at = Location::from;
        match self {
            Self::Create(path, content) => {
                folder.put_opts(&at(path), content.into(), PutMode::Create.into()).await?;
            }
            Self::Overwrite(path, content) => {
                folder.put(&at(path), content.into()).await?;
            }
            Self::Update(path, content) => {
                let e_tag = folder.get(&at(path)).await?.meta.e_tag;
                let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
                folder.put_opts(&at(path), content.into(), mode.into()).await?;
            }
            Self::Copy(from, to) => folder.copy(&at(from), &at(to)).await?,
            Self::Rename(from, to) => folder.rename(&at(from), &at(to)).await?,
            Self::RenameToFree(from, to) => folder.rename_if_not_exists(&at(from), &at(to)).await?,
            Self::Parts(path, content) => {
                let mut upload = folder.put_multipart(&at(path)).await?;
                let (one, two) = content.split_at(2);
                let parts = [upload.put_part(one.into()), upload.put_part(two.into())];
                futures::future::try_join_all(parts).await?;
                upload.complete().await?;
            }
            Self::Delete(path) => folder.delete(&at(path)).await?,
        }
        Ok(())
    }

    /// The objects after this step.
    fn apply(self, mut objects: Objects) -> Objects {
        match self {
            Self::Create(path, content)
            | Self::Overwrite(path, content)
            | Self::Update(path, content)
            | Self::Parts(path, content) => {
                objects.insert(path.into(), content.into());
            }
            Self::Copy(from, to) => {
                objects.insert(to.into(), objects[from].clone());
            }
            Self::Rename(from, to) | Self::RenameToFree(from, to) => {
                let content = objects.remove(from).unwrap();
                objects.insert(to.into(), content);
            }
            Self::Delete(path) => {
                objects.remove(path);
            }
        }
        objects
    }

    /// What may be found when the machine stops during this step.
    fn possible(self, before: &Objects) -> Vec<Objects> {
        let after = self.apply(before.clone());
        let mut both = before.clone();
        both.extend(after.clone());
        match self {
            Self::Rename(..) | Self::RenameToFree(..) => vec![before.clone(), both, after],
            _ => vec![before.clone(), after],
        }
    }
}

/// What a fresh start finds after a crash.
async fn after_crash(layer: &Forgetful, base: &FilePath, crash: Crash) -> Objects {
    let target = tempfile::tempdir().unwrap();
    layer.crash(base, target.path(), crash).unwrap();
    // On the same layer kind, because its syncs cost nothing.
    let folder = Folder::open_on(target.path().join("data"), Arc::new(Forgetful::default())).unwrap();
    let metas: Vec<_> = folder.list(None).try_collect().await.unwrap();
    let mut objects = Objects::new();
    for meta in metas {
        let content = folder.get(&meta.location).await.unwrap().bytes().await.unwrap();
        objects.insert(meta.location.to_string(), String::from_utf8(content.to_vec()).unwrap());
    }
    objects
}

/// Runs the steps until one fails; returns the objects before that step and the step.
async fn run_steps(layer: &Arc<Forgetful>, base: &FilePath) -> (Objects, Option<Step>) {
    let mut objects = Objects::new();
    let Ok(folder) = Folder::open_on(base.join("data"), Arc::clone(layer) as _) else {
        return (objects, None);
    };
    for step in STEPS {
        if step.run(&folder).await.is_err() {
            return (objects, Some(*step));
        }
        objects = step.apply(objects);
    }
    (objects, None)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_at_any_moment() {
    let base = tempfile::tempdir().unwrap();
    let whole = Arc::new(Forgetful::default());
    let (all, failed) = run_steps(&whole, base.path()).await;
    assert!(failed.is_none());
    assert_eq!(all.len(), 5, "{all:?}");

    for stop in 0..=whole.operations() {
        let base = tempfile::tempdir().unwrap();
        let layer = Arc::new(Forgetful::stopping_before(stop));
        let (objects, failed) = run_steps(&layer, base.path()).await;
        let possible = failed.map_or_else(|| vec![objects.clone()], |step| step.possible(&objects));
        for crash in [Crash::OnlySyncedSurvives, Crash::NamesSurvive] {
            let found = after_crash(&layer, base.path(), crash).await;
            assert!(
                possible.contains(&found),
                "stopped before operation {stop} in {failed:?}, {crash:?}: found {found:?}, expected one of \
                 {possible:?}"
            );
        }
    }
}

/// Whether a crash after some acknowledged step would lose it, if the sync of this number were left out.
async fn loses_without(sync: usize) -> bool {
    let base = tempfile::tempdir().unwrap();
    let layer = Arc::new(Forgetful::skipping_sync(sync));
    let folder = Folder::open_on(base.path().join("data"), Arc::clone(&layer) as _).unwrap();
    let mut objects = Objects::new();
    for step in STEPS {
        step.run(&folder).await.unwrap();
        objects = step.apply(objects);
        for crash in [Crash::OnlySyncedSurvives, Crash::NamesSurvive] {
            if after_crash(&layer, base.path(), crash).await != objects {
                return true;
            }
        }
    }
    false
}

#[tokio::test]
async fn no_sync_can_be_left_out() {
    let base = tempfile::tempdir().unwrap();
    let whole = Arc::new(Forgetful::default());
    run_steps(&whole, base.path()).await;
    assert!(!loses_without(usize::MAX).await, "with all syncs nothing is lost");
    let mut superfluous = BTreeSet::new();
    for sync in 0..whole.syncs() {
        if !loses_without(sync).await {
            superfluous.insert(sync);
        }
    }
    assert!(superfluous.is_empty(), "nothing is lost without the syncs {superfluous:?} of {}", whole.syncs());
}
