//! Where series stand: files are sorted by metric name and fingerprint, so that a part of all series is a part of every
//! file.

use std::sync::Arc;

/// A place among all series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The metric name; empty where there is none.
    pub(crate) name: Arc<str>,
    pub(crate) fingerprint: i64,
}

impl Place {
    /// Before the first series of a name.
    pub(crate) fn before(name: Arc<str>) -> Self {
        Self { name, fingerprint: i64::MIN }
    }

    fn is_after(&self, name: &str, fingerprint: i64) -> bool {
        (&*self.name, self.fingerprint) > (name, fingerprint)
    }
}

/// How many rows stand at a place or shortly after it.
pub(crate) type Mark = (Place, usize);

/// While it is read, a series takes about as much memory as so many rows: its labels, and what is known of its group.
const SERIES_ROWS: usize = 64;

/// How much memory rows take while they are read, in rows, which are of so many series.
pub(crate) fn weight(rows: usize, series: usize) -> usize {
    rows.saturating_add(series.saturating_mul(SERIES_ROWS))
}

/// The series from one place on and before another; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Place>,
    pub(crate) to: Option<Place>,
}

impl Span {
    pub(crate) fn is_everything(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(crate) fn is_after(&self, name: &str, fingerprint: i64) -> bool {
        self.from.as_ref().is_some_and(|from| from.is_after(name, fingerprint))
    }

    pub(crate) fn is_before(&self, name: &str, fingerprint: i64) -> bool {
        self.to.as_ref().is_some_and(|to| !to.is_after(name, fingerprint))
    }

    pub(crate) fn contains(&self, name: &str, fingerprint: i64) -> bool {
        !self.is_after(name, fingerprint) && !self.is_before(name, fingerprint)
    }

    /// What is left of it from a place on, if anything is.
    pub(crate) fn after(self, place: Option<&Place>) -> Option<Self> {
        if self.to.as_ref().is_some_and(|to| Some(to) <= place) {
            return None;
        }
        Some(Self { from: self.from.max(place.cloned()), to: self.to })
    }

    /// Whether a series in it may have a name between two, both included.
    pub(crate) fn may_hold_names(&self, (least, most): (&[u8], &[u8])) -> bool {
        let ends_before = self.from.as_ref().is_some_and(|from| most < from.name.as_bytes());
        let begins_after = self.to.as_ref().is_some_and(|to| match to.fingerprint {
            i64::MIN => least >= to.name.as_bytes(),
            _ => least > to.name.as_bytes(),
        });
        !ends_before && !begins_after
    }

    /// The fingerprints of its series, the last included, if all have one name.
    pub(crate) fn fingerprints(&self) -> Option<(i64, i64)> {
        let (from, to) = (self.from.as_ref()?, self.to.as_ref()?);
        (from.name == to.name).then_some((from.fingerprint, to.fingerprint.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, fingerprint: i64) -> Option<Place> {
        Some(Place { name: name.into(), fingerprint })
    }

    #[test]
    fn what_is_left_of_a_span_begins_at_the_place() {
        let span = Span { from: place("b", 5), to: place("d", 7) };
        let left = |at: Option<Place>| span.clone().after(at.as_ref());
        assert_eq!(left(None), Some(span.clone()));
        assert_eq!(left(place("a", 0)), Some(span.clone()));
        assert_eq!(left(place("c", 1)), Some(Span { from: place("c", 1), to: place("d", 7) }));
        assert_eq!(left(place("d", 7)), None);
        let open = Span { from: place("b", 5), to: None };
        assert_eq!(open.after(place("z", 0).as_ref()), Some(Span { from: place("z", 0), to: None }));
    }

    #[test]
    fn a_span_holds_its_first_place_and_not_its_last() {
        let check = |span: &Span, name: &str, fingerprint: i64, expect: bool| {
            assert_eq!(span.contains(name, fingerprint), expect, "{span:?} {name} {fingerprint}");
            // what it contains, it may hold
            assert!(!expect || span.may_hold_names((name.as_bytes(), name.as_bytes())));
        };
        let span = Span { from: place("b", 5), to: place("d", 7) };
        for (name, fingerprint, expect) in [
            ("a", 9, false),
            ("b", 4, false),
            ("b", 5, true),
            ("c", i64::MIN, true),
            ("d", 6, true),
            ("d", 7, false),
            ("e", 0, false),
        ] {
            check(&span, name, fingerprint, expect);
            check(&Span::default(), name, fingerprint, true);
        }
        assert!(!span.may_hold_names((b"", b"a")) && !span.may_hold_names((b"e", b"f")));
        assert!(span.may_hold_names((b"a", b"b")) && span.may_hold_names((b"d", b"e")));
        let whole_names = Span { from: None, to: place("d", i64::MIN) };
        assert!(!whole_names.may_hold_names((b"d", b"d")) && whole_names.may_hold_names((b"c", b"d")));
        assert_eq!(span.fingerprints(), None);
        assert_eq!(Span { from: place("b", 5), to: place("b", 7) }.fingerprints(), Some((5, 6)));
    }
}
