//! What `make page` had made of the sources in `page/` when this was built.

use edge::PageFile;

/// All files of it; none where it had not been made.
pub(crate) const FILES: &[PageFile] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
