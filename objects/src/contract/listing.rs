//! Lists: pages, offsets, prefixes, levels, order.

use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{ListResult, ObjectMeta};

use super::Subject;

/// More than a page of S3 has.
const MANY: usize = 1_205;

pub(super) async fn lists_beyond_a_page(subject: &Subject) {
    let expected: Vec<String> = (0..MANY).map(|number| format!("many/{number:05}")).collect();
    subject.put_all(expected.iter().cloned()).await;
    subject.put("other", "x").await;
    let prefix = subject.at("many");
    assert_eq!(subject.list(&prefix).await, expected);

    let offset = subject.at(&expected[100]).to_string();
    assert_eq!(subject.list_after(&prefix, &offset).await, expected[101..]);

    let level = subject.store.list_with_delimiter(Some(&prefix)).await.unwrap();
    assert_eq!(level.objects.len(), MANY);
    let metas: Vec<ObjectMeta> = subject.store.list(Some(&prefix)).try_collect().await.unwrap();
    assert!(metas.iter().all(|meta| meta.size == 10));
}

pub(super) async fn offsets_are_exclusive(subject: &Subject) {
    let all = ["a/1", "a/2", "b", "c/d/1", "c/d/2", "c/e", "d"];
    subject.put_all(all.map(String::from)).await;
    let root = subject.root.clone();
    let check = async |prefix: &Location, offset: &str, expected: &[&str]| {
        assert_eq!(subject.list_after(prefix, offset).await, expected, "{prefix} after {offset}");
    };
    let at = |path: &str| subject.at(path).to_string();
    check(&root, &at("a/1"), &all[1..]).await;
    check(&root, &at("a/2"), &all[2..]).await;
    check(&root, &at("a"), &all).await;
    check(&root, &at("a/1.5"), &all[1..]).await;
    check(&root, &at("c/d/1"), &all[4..]).await;
    check(&root, &at("c/d"), &all[3..]).await;
    check(&root, &at("c/z"), &all[6..]).await;
    check(&root, &at("z"), &[]).await;
    check(&subject.at("c"), &at("a/1"), &all[3..6]).await;
    check(&subject.at("c"), &at("c/d/1"), &all[4..6]).await;
    check(&subject.at("c"), &at("d"), &[]).await;
}

pub(super) async fn prefixes_are_whole_segments(subject: &Subject) {
    subject.put_all(["foo/bar/x", "foo/bar_baz/x", "foo/bar.x", "foo/ba", "foo2"].map(String::from)).await;
    assert_eq!(subject.list(&subject.at("foo/bar")).await, ["foo/bar/x"]);
    assert_eq!(subject.list(&subject.at("foo")).await, ["foo/ba", "foo/bar.x", "foo/bar/x", "foo/bar_baz/x"]);
    assert!(subject.list(&subject.at("fo")).await.is_empty());
    assert!(subject.list(&subject.at("foo/ba")).await.is_empty(), "an object is not below itself");
    assert!(subject.list(&subject.at("nothing/here")).await.is_empty());
}

pub(super) async fn levels_show_objects_and_prefixes(subject: &Subject) {
    subject.put_all(["l/a", "l/b/1", "l/b/2/3", "l/c-d/1", "l/e"].map(String::from)).await;
    let level = |result: ListResult| {
        let objects: Vec<_> = result.objects.iter().map(|meta| subject.short(&meta.location)).collect();
        let prefixes: Vec<_> = result.common_prefixes.iter().map(|prefix| subject.short(prefix)).collect();
        (objects.join(" "), prefixes.join(" "))
    };
    let list = async |path: &str| subject.store.list_with_delimiter(Some(&subject.at(path))).await.unwrap();
    assert_eq!(level(list("l").await), ("l/a l/e".into(), "l/b l/c-d".into()));
    assert_eq!(level(list("l/b").await), ("l/b/1".into(), "l/b/2".into()));
    assert_eq!(level(list("l/a").await), (String::new(), String::new()));
    assert_eq!(level(list("nothing").await), (String::new(), String::new()));
}

pub(super) async fn order_is_that_of_whole_paths(subject: &Subject) {
    let expected = ["a-b/1", "a.b", "a/1", "a/b-c", "a/b/c", "a0", "ab", "b", "é"];
    subject.put_all(expected.map(String::from)).await;
    assert_eq!(subject.list(&subject.root).await, expected);
}
