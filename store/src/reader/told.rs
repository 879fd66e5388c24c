//! What is told of metric families, and who sees what of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use model::{Labels, Metadata, Teller};

use crate::segment::Description;

/// Somebody who sees some series only. What is told of a family is not for them if it has series that they do not see, unless it is
/// their own word.
#[derive(Clone)]
pub struct Viewer {
    teller: Teller,
    sees: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
}

impl Viewer {
    /// Who sees the series of which `sees` is true, and has told of families as `teller`.
    pub fn new(teller: Teller, sees: impl Fn(&Labels) -> bool + Send + Sync + 'static) -> Self {
        Self { teller, sees: Arc::new(sees) }
    }

    pub(crate) fn sees(&self, series: &Labels) -> bool {
        (self.sees)(series)
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer").field("teller", &self.teller).finish_non_exhaustive()
    }
}

/// What is told of families: of each, by each who told of it, what they told last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descriptions(HashMap<Arc<str>, Vec<Description>>);

impl Descriptions {
    /// Takes it unless it was told earlier than what is known.
    pub(crate) fn add(&mut self, description: &Description) {
        let Some(of_family) = self.0.get_mut(&description.family) else {
            self.0.insert(Arc::clone(&description.family), vec![description.clone()]);
            return;
        };
        match of_family.iter_mut().find(|known| known.told_by == description.told_by) {
            Some(known) if known.stamp < description.stamp => *known = description.clone(),
            Some(_) => {}
            None => of_family.push(description.clone()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Description> {
        self.0.values().flatten()
    }

    /// What a viewer is told of a family, of which they see all series or not.
    pub(crate) fn seen(&self, family: &str, viewer: Option<&Viewer>, sees_all: bool) -> Option<&Metadata> {
        let told = self.0.get(family)?;
        // everybody's word, or else what was told last
        let of_all = || told.iter().max_by_key(|told| (told.told_by.is_none(), told.stamp));
        let seen = match viewer {
            None => of_all(),
            Some(viewer) => {
                let own = told.iter().find(|told| told.told_by == Some(viewer.teller));
                own.or_else(|| of_all().filter(|_| sees_all))
            }
        };
        seen.map(|description| &description.metadata)
    }
}

#[cfg(test)]
mod tests {
    use model::Stamp;

    use super::*;

    #[test]
    fn everybodys_word_counts_and_ones_own_before_it() {
        let (own, other) = (Teller::of("own"), Teller::of("other"));
        let mut told = Descriptions::default();
        let mut tell = |family: &str, by: Option<Teller>, help: &str, at_us: i64| {
            let metadata = Metadata { help: help.into(), ..Metadata::default() };
            let stamp = Stamp { at_us, writer: 0 };
            told.add(&Description { stamp, family: family.into(), told_by: by, metadata });
        };
        tell("a", None, "all", 1);
        tell("a", Some(own), "own", 3);
        tell("a", Some(own), "older", 2);
        tell("a", Some(other), "other", 9);
        tell("b", Some(other), "other", 1);
        tell("b", Some(Teller::of("third")), "third", 2);
        let viewer = Viewer::new(own, |_| false);
        let seen = |family: &str, viewer: Option<&Viewer>, sees_all: bool| {
            told.seen(family, viewer, sees_all).map(|metadata| metadata.help.to_string())
        };
        let check = |family: &str, all: Option<&str>, whole: Option<&str>, shared: Option<&str>| {
            let found = [(None, false), (Some(&viewer), true), (Some(&viewer), false)]
                .map(|(viewer, sees_all)| seen(family, viewer, sees_all));
            assert_eq!(found, [all, whole, shared].map(|help| help.map(str::to_owned)), "{family}");
        };
        check("a", Some("all"), Some("own"), Some("own"));
        check("b", Some("third"), Some("third"), None);
        check("c", None, None, None);
        assert_eq!(told.iter().count(), 5);
    }
}
