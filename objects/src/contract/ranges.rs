//! Gets of parts, and heads.

use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use super::Subject;

const DIGITS: &str = "0123456789";

async fn get(subject: &Subject, path: &str, range: GetRange) -> object_store::Result<String> {
    let options = GetOptions::new().with_range(Some(range));
    let read = subject.store.get_opts(&subject.at(path), options).await?;
    assert_eq!(read.meta.size, 10, "the size is that of the whole object");
    let range = read.range.clone();
    let bytes = read.bytes().await?;
    assert_eq!(range.end - range.start, bytes.len() as u64);
    assert!(DIGITS.as_bytes()[usize::try_from(range.start).unwrap()..].starts_with(&bytes));
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

pub(super) async fn ranges_are_cut_at_the_end(subject: &Subject) {
    subject.put("digits", DIGITS).await;
    for (range, expected) in [
        (GetRange::Bounded(0..10), DIGITS),
        (GetRange::Bounded(2..5), "234"),
        (GetRange::Bounded(9..10), "9"),
        (GetRange::Bounded(7..100), "789"),
        (GetRange::Offset(8), "89"),
        (GetRange::Offset(0), DIGITS),
        (GetRange::Suffix(3), "789"),
        (GetRange::Suffix(10), DIGITS),
        (GetRange::Suffix(100), DIGITS),
    ] {
        assert_eq!(get(subject, "digits", range.clone()).await.unwrap(), expected, "{range:?}");
    }
    let ranges = [0..2, 8..10, 3..4, 9..50];
    let parts = subject.store.get_ranges(&subject.at("digits"), &ranges).await.unwrap();
    assert_eq!(parts, ["01", "89", "3", "9"]);
}

pub(super) async fn ranges_outside_are_errors(subject: &Subject) {
    subject.put("digits", DIGITS).await;
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
    for range in [
        GetRange::Bounded(10..12),
        GetRange::Bounded(100..200),
        GetRange::Offset(10),
        GetRange::Bounded(3..3),
        GetRange::Bounded(5..3),
    ] {
        let result = get(subject, "digits", range.clone()).await;
        assert!(matches!(result, Err(object_store::Error::Generic { .. })), "{range:?}: {result:?}");
    }
}

pub(super) async fn empty_objects_are_objects(subject: &Subject) {
    subject.put("empty", "").await;
    assert_eq!(subject.read("empty").await, "");
    assert_eq!(subject.store.head(&subject.at("empty")).await.unwrap().size, 0);
    assert_eq!(subject.list(&subject.root).await, ["empty"]);
}

pub(super) async fn heads_tell_the_size(subject: &Subject) {
    subject.put("digits", DIGITS).await;
    let at = subject.at("digits");
    let head = subject.store.head(&at).await.unwrap();
    assert_eq!((head.size, &head.location), (10, &at));
    let read = subject.store.get(&at).await.unwrap();
    assert_eq!(read.range, 0..10);
    // Stores round to seconds.
    let skew = (read.meta.last_modified - head.last_modified).num_milliseconds().abs();
    assert!(skew < 2_000, "{skew}");
}
