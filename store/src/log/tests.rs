use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{
    Change, CounterReset, GroupKey, Histogram, Labels, MetricType, Push, PushedFamily, PushedSeries,
};
use model::{Merge, RetryKey, Samples, Span, Teller};

use super::files::LogFile;
use super::*;
use crate::entry::SampleBatch;

/// A folder on a disk that forgets, at a crash, whatever was not synced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forgetful {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<String, Content>,
    broken: Broken,
    /// Bytes that may still be written; `None`: as many as you like.
    space: Option<usize>,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    name_synced: bool,
}

/// A step that this disk leaves out, to show that the tests notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Broken {
    #[default]
    Nothing,
    FileSync,
    FolderSync,
}

impl Forgetful {
    pub(crate) fn broken(broken: Broken) -> Self {
        let files = Self::default();
        files.lock().broken = broken;
        files
    }

    /// The plug is pulled: what comes back with the power.
    pub(crate) fn crash(&self) {
        let mut disk = self.lock();
        disk.files.retain(|_, content| content.name_synced);
        disk.files.values_mut().for_each(|content| content.bytes.truncate(content.synced));
    }

    pub(crate) fn set_space(&self, space: Option<usize>) {
        self.lock().space = space;
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    /// Another disk with the same content.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::default();
        for (name, content) in &self.lock().files {
            let content = Content { bytes: content.bytes.clone(), ..Content::default() };
            copy.lock().files.insert(name.clone(), content);
        }
        copy
    }

    /// Takes over the only file of another disk, as the file of this number.
    pub(crate) fn add(&self, other: &Self, number: u32) {
        for (name, content) in &other.lock().files {
            let (writer, _) = parse_file_name(name).expect("a log");
            let content = Content { bytes: content.bytes.clone(), ..Content::default() };
            self.lock().files.insert(file_name(writer, number), content);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct ForgetfulFile {
    disk: Forgetful,
    name: String,
}

impl LogFiles for Forgetful {
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.lock().files.insert(name.to_owned(), Content::default());
        Ok(Box::new(ForgetfulFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut disk = self.lock();
        if disk.broken != Broken::FolderSync {
            disk.files.values_mut().for_each(|content| content.name_synced = true);
        }
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn claim(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.lock().files.get(name).map(|content| content.bytes.clone()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().files.remove(name);
        Ok(())
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let mut disk = self.lock();
        if let Some(content) = disk.files.remove(name) {
            disk.files.insert(format!("{name}.damaged"), content);
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

impl LogFile for ForgetfulFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let fits = disk.space.map_or(bytes.len(), |space| space.min(bytes.len()));
        disk.space = disk.space.map(|space| space - fits);
        let content = disk.files.get_mut(&self.name).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        if disk.broken != Broken::FileSync
            && let Some(content) = disk.files.get_mut(&self.name)
        {
            content.synced = content.bytes.len();
        }
        Ok(())
    }
}

#[test]
fn entries_survive_their_encoding() {
    let labels = Labels::from_pairs([("__name__", "m"), ("é", "\n\"")]);
    let histogram = Histogram {
        schema: -53,
        counter_reset: CounterReset::NotReset,
        positive_spans: vec![Span { offset: -3, length: u32::MAX }],
        positive_counts: vec![0.5],
        custom_bounds: vec![0.1, 1.0],
        ..Histogram::default()
    };
    let float = |merge| PushedSeries::float(labels.clone(), -0.0).merging(merge);
    let mut series: Vec<_> = [Merge::Set, Merge::Add, Merge::Min, Merge::Max].map(float).into();
    series.push(PushedSeries::histogram(labels.clone(), Arc::new(histogram.clone())));
    series[1].start_us = Some(-3);
    let (name, help, unit) = ("m".into(), "h".into(), "u".into());
    let family = PushedFamily { name, r#type: MetricType::Summary, help, unit, replaces: true, series };
    for change in [Change::Delete, Change::ReplaceGroup, Change::ReplaceFamilies, Change::Merge, Change::Wipe]
    {
        let push = Push::new(GroupKey(u128::MAX - 1), change, vec![family.clone()]);
        assert_eq!(Push::decode(&push.encode(-5)), Ok((-5, push.clone())));
        let retry_key = Some(RetryKey { key: u128::MAX - 2, body: u64::MAX - 3 });
        let told_by = Some(Teller(u128::MAX - 4));
        let push = Push { ttl_us: Some(u64::MAX), retry_key, told_by, ..push };
        assert_eq!(Push::decode(&push.encode(-5)), Ok((-5, push)));
    }
    let mut samples = Samples::default();
    samples.push(-10, 1.5);
    samples.push_value(20, &model::Value::Histogram(Arc::new(histogram)));
    samples.start_ms = vec![0, 7];
    let batch = SampleBatch::of(vec![(labels, samples), (Labels::empty(), Samples::default())]);
    assert_eq!(SampleBatch::decode(&batch.encode(7)), Ok((7, batch.clone())));
    let batch = SampleBatch { told_by: Some(Teller(1)), ..batch };
    assert_eq!(SampleBatch::decode(&batch.encode(7)), Ok((7, batch)));
}

#[test]
fn what_is_no_entry_is_an_error() {
    assert!(matches!(Push::decode(b"\xff"), Err(CodecError::Protobuf(_))));
    assert_eq!(Push::decode(b""), Err(CodecError::Field("group")));
}

#[test]
fn file_names() {
    assert_eq!(file_name(0xabc, 7), "0000000000000abc00000007.log");
    assert_eq!(parse_file_name(&file_name(0xabc, 7)), Some((0xabc, 7)));
    for name in ["", "x.log", "0000000000000abc00000007.log.damaged", "0000000000000abc0000000.log"] {
        assert_eq!(parse_file_name(name), None, "{name}");
    }
}

#[test]
fn a_real_folder_does_what_a_log_needs() {
    let folder = tempfile::tempdir().expect("folder");
    let files: Arc<dyn LogFiles> = Arc::new(Folder::open(folder.path().join("log")).expect("opens"));
    let mut log = Log::new(Arc::clone(&files), 5);
    log.append(&[b"one".to_vec(), b"two".to_vec()]).expect("written");
    log.append(&[b"three".to_vec()]).expect("written");
    let name = file_name(5, 0);
    assert_eq!(files.list().expect("lists"), std::slice::from_ref(&name));
    assert_eq!(files.claim(&name).expect("answers"), None, "its owner still writes it");
    assert_eq!(log.rotate(), Some(0));
    let bytes = files.claim(&name).expect("answers").expect("is free");
    assert_eq!(frame::read(&bytes).payloads, [&b"one"[..], b"two", b"three"]);
    files.set_aside(&name).expect("renamed");
    assert!(files.path(&format!("{name}.damaged")).exists());
    log.append(&[b"four".to_vec()]).expect("written");
    assert_eq!(log.rotate(), Some(1));
    Log::remove(&*files, 5, 1).expect("removed");
    assert_eq!(files.claim(&file_name(5, 1)).expect("answers"), None);
}

#[test]
fn the_name_of_every_folder_that_is_made_is_synced() {
    let base = tempfile::tempdir().expect("folder");
    let make = |path: &std::path::Path| {
        let mut synced = Vec::new();
        let mut note = |folder: &std::path::Path| {
            synced.push(folder.to_owned());
            Ok(())
        };
        super::files::make_folder(path, &mut note).map(|()| synced)
    };
    let path = base.path().join("a/b/c");
    let [a, b] = [base.path().join("a"), base.path().join("a/b")];
    assert_eq!(make(&path).expect("made"), [base.path().to_owned(), a, b.clone()]);
    assert!(path.is_dir());
    assert_eq!(make(&path).expect("is there"), [b], "once more, in case a crash came before");
    std::fs::write(base.path().join("file"), "").expect("written");
    assert!(make(&base.path().join("file")).is_err(), "a file stands in the way");
    assert!(make(&base.path().join("file/below")).is_err());
    let failed = super::files::make_folder(&base.path().join("d"), &mut |_| Err(io::Error::other("no sync")));
    assert!(failed.is_err(), "what is not synced is not there");
}
