//! What the answers of a store rest on at one moment, by which it is told which of them a later moment changes.

/// One thing that answers rest on, such as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroundPiece {
    /// Which it is. Two things that may say something else have different ones, always.
    pub id: u128,
    /// The first millisecond of which it may say something.
    pub from_ms: i64,
    /// The last.
    pub until_ms: i64,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    whole: u128,
    /// In order, each once.
    pieces: Vec<GroundPiece>,
}

impl Ground {
    /// Some pieces, in any order. Where `whole` is another, so are answers about all times.
    pub fn new(whole: u128, mut pieces: Vec<GroundPiece>) -> Self {
        pieces.sort_unstable();
        pieces.dedup();
        pieces.shrink_to_fit();
        Self { whole, pieces }
    }

    /// Of which times, first and last millisecond, something else may be said than at another moment; `None`: of all.
    pub fn changes(&self, other: &Self) -> Option<Vec<(i64, i64)>> {
        if self.whole != other.whole {
            return None;
        }
        let (mut own, mut others) = (self.pieces.iter().peekable(), other.pieces.iter().peekable());
        let mut changes = Vec::new();
        loop {
            let piece = match (own.peek(), others.peek()) {
                (Some(a), Some(b)) if a == b => {
                    own.next();
                    others.next();
                    continue;
                }
                (Some(a), Some(b)) if a > b => others.next(),
                (Some(_), _) => own.next(),
                (None, _) => others.next(),
            };
            let Some(piece) = piece else { return Some(changes) };
            changes.push((piece.from_ms, piece.until_ms));
        }
    }

    /// The memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pieces.capacity() * size_of::<GroundPiece>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_both_has_changed() {
        let ground = |ids: &[u128]| {
            let piece = |&id: &u128| GroundPiece {
                id,
                from_ms: 10,
                until_ms: 10 + i64::try_from(id).expect("small"),
            };
            Ground::new(7, ids.iter().map(piece).collect())
        };
        let check = |a: &[u128], b: &[u128], expect: &[i64]| {
            let expect: Vec<_> = expect.iter().map(|id| (10, 10 + id)).collect();
            assert_eq!(ground(a).changes(&ground(b)), Some(expect.clone()), "{a:?} and {b:?}");
            assert_eq!(ground(b).changes(&ground(a)), Some(expect), "{b:?} and {a:?}");
        };
        check(&[], &[], &[]);
        check(&[3, 1, 2, 1], &[1, 2, 3], &[]);
        check(&[1, 2, 3], &[], &[1, 2, 3]);
        check(&[1, 3, 5], &[2, 3, 6], &[1, 2, 5, 6]);
        check(&[1, 2, 3], &[3], &[1, 2]);
        // the same piece that says something of another time is another
        let moved = Ground::new(7, vec![GroundPiece { id: 1, from_ms: 0, until_ms: 3 }]);
        assert_eq!(moved.changes(&ground(&[1])), Some(vec![(0, 3), (10, 11)]));
        assert_eq!(Ground::new(8, Vec::new()).changes(&ground(&[])), None);
    }
}
