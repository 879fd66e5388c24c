//! Copies. The server copies by itself, unless the target must be free: not every server that honours conditions on a
//! put honours them on a copy, so then the content is read and put.

use object_store::path::Path as Location;
use object_store::{CopyMode, GetOptions, PutMode, PutOptions, Result};

use super::error::S3Error;
use super::{Bucket, get, put};

pub(super) async fn copy(bucket: &Bucket, from: &Location, to: &Location, mode: CopyMode) -> Result<()> {
    match mode {
        CopyMode::Overwrite => {
            let source = format!("{}/{}", bucket.settings.bucket, encode(from.as_ref()));
            let request = bucket.client().await.copy_object();
            let answer =
                request.bucket(&bucket.settings.bucket).key(to.as_ref()).copy_source(source).send().await;
            let failed = |error| S3Error::new("copy", bucket.url_of(from), error).into_store(from);
            answer.map(|_| ()).map_err(failed)
        }
        CopyMode::Create => {
            let read = get::get(bucket, from, GetOptions::default()).await?;
            let attributes = read.attributes.clone();
            let content = read.bytes().await?;
            let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
            put::put(bucket, to, content.into(), &options).await.map(|_| ())
        }
    }
}

/// Percent-encodes everything but slashes and what never needs it.
fn encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_keys() {
        assert_eq!(encode("a/b-c_d.e~f"), "a/b-c_d.e~f");
        assert_eq!(encode("a b+c%2F☃"), "a%20b%2Bc%252F%E2%98%83");
    }
}
