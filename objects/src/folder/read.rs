//! Everything that reads one object.
//!
//! The content behind an open handle never changes, because a put makes a new file and moves it into place: a reader
//! keeps the version that it opened.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path as Location;
use object_store::{Attributes, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, Result};
use rustix::fs::{Mode, OFlags};

use super::dirs::is_absence;
use super::layer::Entry;
use super::name::Name;
use super::{FolderError, etag};

/// Up to this size a `head` reads the object to tell its etag.
pub(super) const HEAD_ETAG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Content up to this size is read at once; more is streamed in pieces of it.
const PIECE_BYTES: u64 = 1024 * 1024;
/// Content up to this size is read in no time, if it was read before.
const SMALL_BYTES: u64 = 64 * 1024;

/// An object that is open.
struct Opened {
    path: PathBuf,
    file: File,
    meta: ObjectMeta,
}

impl Opened {
    fn new(root: &FilePath, location: &Location) -> Result<Self, FolderError> {
        let path = root.join(Name::new(location)?.path());
        let file = open(&path)?;
        let meta = file.metadata().and_then(|meta| object_meta(location.clone(), &meta));
        let meta = meta.map_err(|error| FolderError::io("read", &path, error))?;
        Ok(Self { path, file, meta })
    }
}

/// Answers one get; everything but the pieces of a long stream is read before it returns. Blocks the thread.
pub(super) fn get(root: &FilePath, location: &Location, options: &GetOptions) -> Result<GetResult> {
    let fail = |error: FolderError| error.into_store(location);
    if options.version.is_some() {
        return Err(fail(FolderError::Unsupported { what: "versions" }));
    }
    answer(Opened::new(root, location).map_err(fail)?, location, options)
}

/// Answers a get of a whole object that is small; `None` for any other.
pub(super) fn get_small(
    root: &FilePath,
    location: &Location,
    options: &GetOptions,
) -> Option<Result<GetResult>> {
    if options.range.is_some() || options.head || options.version.is_some() {
        return None;
    }
    match Opened::new(root, location) {
        Ok(opened) if opened.meta.size > SMALL_BYTES => None,
        Ok(opened) => Some(answer(opened, location, options)),
        Err(error) => Some(Err(error.into_store(location))),
    }
}

fn answer(opened: Opened, location: &Location, options: &GetOptions) -> Result<GetResult> {
    let Opened { path, file, mut meta } = opened;
    let fail = |error: FolderError| error.into_store(location);
    let read_error = |error| fail(FolderError::io("read", &path, error));
    let size = meta.size;

    let whole = options.range.is_none() && !options.head;
    let conditional = options.if_match.is_some() || options.if_none_match.is_some();
    let mut content = None;
    if whole && size <= PIECE_BYTES {
        let bytes = read_range(&file, 0..size).map_err(read_error)?;
        meta.e_tag = Some(etag::of_bytes(&bytes));
        content = Some(bytes);
    } else if whole || conditional || (options.head && size <= HEAD_ETAG_BYTES_MAX) {
        meta.e_tag = Some(etag::of_file(&file).map_err(read_error)?);
    }
    options.check_preconditions(&meta)?;

    let range = match &options.range {
        None => 0..size,
        Some(requested) => requested.as_range(size).map_err(|_| fail(range_error(&path, requested, size)))?,
    };
    let payload = if options.head {
        futures::stream::empty().boxed()
    } else if let Some(bytes) = content {
        once(bytes)
    } else if range.end - range.start <= PIECE_BYTES {
        once(read_range(&file, range.clone()).map_err(read_error)?)
    } else {
        pieces(file, path, location.clone(), range.clone())
    };
    Ok(GetResult {
        payload: GetResultPayload::Stream(payload),
        meta,
        range,
        attributes: Attributes::default(),
    })
}

/// Reads several ranges of one object. Blocks the thread.
pub(super) fn get_ranges(root: &FilePath, location: &Location, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let fail = |error: FolderError| error.into_store(location);
    let path = root.join(Name::new(location).map_err(fail)?.path());
    let file = open(&path).map_err(fail)?;
    let read_error = |error| fail(FolderError::io("read", &path, error));
    let size = file.metadata().map_err(read_error)?.len();
    let read = |range: &Range<u64>| {
        let requested = GetRange::Bounded(range.clone());
        let range = requested.as_range(size).map_err(|_| fail(range_error(&path, &requested, size)))?;
        read_range(&file, range).map_err(read_error)
    };
    ranges.iter().map(read).collect()
}

/// Opens the file of an object.
pub(super) fn open(path: &FilePath) -> Result<File, FolderError> {
    let opened = File::options()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .and_then(|file| Ok((file.metadata()?.is_file(), file)));
    match opened {
        Ok((true, file)) => Ok(file),
        Ok((false, _)) => Err(FolderError::Absent { path: path.into() }),
        Err(error) if is_absence(&error) => Err(FolderError::Absent { path: path.into() }),
        Err(error) => Err(FolderError::io("open", path, error)),
    }
}

/// Opens the file of an object in an open directory; none if there is no such object.
pub(super) fn open_at(at: Entry<'_>) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::openat(at.dir, at.name, flags, Mode::empty()).map_err(io::Error::from) {
        Ok(file) => {
            let file = File::from(file);
            Ok(file.metadata()?.is_file().then_some(file))
        }
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a list says about an object. The etag is left out, because it takes reading the object.
pub(super) fn object_meta(location: Location, meta: &Metadata) -> io::Result<ObjectMeta> {
    let last_modified = meta.modified()?.into();
    Ok(ObjectMeta { location, last_modified, size: meta.len(), e_tag: None, version: None })
}

fn range_error(path: &FilePath, requested: &GetRange, size: u64) -> FolderError {
    let requested = match requested {
        // The header form of an empty range would underflow.
        GetRange::Bounded(range) => format!("{range:?}"),
        other => other.to_string(),
    };
    FolderError::Range { path: path.into(), requested, size }
}

fn read_range(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(buffer.into())
}

fn once(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    futures::stream::once(std::future::ready(Ok(bytes))).boxed()
}

/// Streams a long range piece by piece.
fn pieces(
    file: File,
    path: PathBuf,
    location: Location,
    range: Range<u64>,
) -> BoxStream<'static, Result<Bytes>> {
    let file = Arc::new(file);
    futures::stream::try_unfold(range, move |rest| {
        let (file, path, location) = (Arc::clone(&file), path.clone(), location.clone());
        async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let piece = rest.start..rest.end.min(rest.start + PIECE_BYTES);
            let rest = piece.end..rest.end;
            let fail = |error: FolderError| error.into_store(&location);
            let bytes = tokio::task::spawn_blocking(move || read_range(&file, piece))
                .await
                .map_err(|error| fail(error.into()))?
                .map_err(|error| fail(FolderError::io("read", path, error)))?;
            Ok(Some((bytes, rest)))
        }
    })
    .boxed()
}
