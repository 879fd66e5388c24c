//! What kinds of things there are to be allowed.

use std::fmt;

/// A kind of thing that a token may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To write: pushes, remote write, OTLP, Influx line protocol.
    Push,
    /// To ask: queries, lists of series and groups, rules and alerts.
    Read,
    /// To delete groups and series.
    Delete,
    /// To do anything, what is about the server itself included.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Push, Self::Read, Self::Delete, Self::Admin];

    /// As files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Read => "read",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    /// What files write so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every one.
    pub const ALL: Self = Self(0b1111);

    /// Whether this is among them. [`Scope::Admin`] has all others in it.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (bit(scope) | bit(Scope::Admin)) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that were named.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & bit(*scope) != 0)
    }
}

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_has_all_others_in_it() {
        let check = |named: &[Scope], allowed: &[Scope], shown: &str| {
            let scopes: Scopes = named.iter().copied().collect();
            let found: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| scopes.allow(*scope)).collect();
            assert_eq!((&found[..], scopes.to_string().as_str()), (allowed, shown));
        };
        check(&[], &[], "");
        check(&[Scope::Read, Scope::Push], &[Scope::Push, Scope::Read], "push, read");
        check(&[Scope::Delete], &[Scope::Delete], "delete");
        check(&[Scope::Admin], &Scope::ALL, "admin");
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::ALL);
    }

    #[test]
    fn words() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_word(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::from_word("Push"), None);
    }
}
