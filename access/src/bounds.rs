//! Which series a token is about.

use std::fmt;
use std::sync::Arc;

use model::{Labels, Matcher, Teller};

/// Matchers that all series must satisfy which are pushed, read or deleted. Without any, every series does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds(Arc<[Matcher]>);

impl Bounds {
    /// Bounds of these matchers.
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Self(matchers.into())
    }

    /// Whether there are none.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// All that must match.
    pub fn matchers(&self) -> &[Matcher] {
        &self.0
    }

    /// Whether a series with these labels lies within.
    pub fn admit(&self, series: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(series.get(&matcher.name).unwrap_or("")))
    }

    /// Whether every series lies within that a group with these labels holds or will ever hold. Labels of a group are labels of
    /// all its series, while of any other label a series may have what it likes: so the group itself must have each label that a
    /// matcher is about.
    pub fn admit_group(&self, group: &Labels) -> bool {
        self.0.iter().all(|matcher| group.get(&matcher.name).is_some_and(|value| matcher.matches(value)))
    }

    /// Whose word on metric families it is that comes from within; `None`: everybody's. The order of the matchers does not matter.
    pub fn teller(&self) -> Option<Teller> {
        if self.is_everything() {
            return None;
        }
        let mut texts: Vec<String> = self.0.iter().map(Matcher::to_string).collect();
        texts.sort_unstable();
        Some(Teller::of(&texts.join(",")))
    }

    /// The matchers of a selection, and these. None of either is left out, so what is found matches both.
    #[must_use]
    pub fn and(&self, matchers: &[Matcher]) -> Vec<Matcher> {
        let own = self.0.iter().filter(|own| !matchers.contains(own));
        matchers.iter().chain(own).cloned().collect()
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, matcher) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{matcher}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use model::MatchOp;

    use super::*;

    fn bounds(matchers: &[(&str, MatchOp, &str)]) -> Bounds {
        let matcher =
            |(name, op, value): &(&str, MatchOp, &str)| Matcher::new(*name, *op, *value).expect("a matcher");
        Bounds::new(matchers.iter().map(matcher).collect())
    }

    #[test]
    fn series_and_groups() {
        let check = |bounds: &Bounds, labels: &[(&str, &str)], series: bool, group: bool| {
            let labels = Labels::from_pairs(labels.iter().copied());
            assert_eq!((bounds.admit(&labels), bounds.admit_group(&labels)), (series, group), "{labels}");
        };
        let everything = Bounds::default();
        check(&everything, &[], true, true);
        check(&everything, &[("job", "x")], true, true);
        let team = bounds(&[("job", MatchOp::Regex, "team-.*"), ("env", MatchOp::NotEqual, "prod")]);
        check(&team, &[("job", "team-a"), ("env", "dev")], true, true);
        check(&team, &[("job", "my-team-a"), ("env", "dev")], false, false);
        check(&team, &[("job", "team-a"), ("env", "prod")], false, false);
        check(&team, &[("env", "dev")], false, false);
        // another push to that group may hold env="prod"
        check(&team, &[("job", "team-a")], true, false);
    }

    #[test]
    fn matchers_of_both_count() {
        let team = bounds(&[("job", MatchOp::Regex, "team-.*")]);
        let asked = [Matcher::equal("job", "other"), Matcher::equal("__name__", "up")];
        let both = team.and(&asked);
        assert_eq!(
            both.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["job=\"other\"", "__name__=\"up\"", "job=~\"team-.*\"",]
        );
        assert_eq!(team.and(&both), both);
        assert_eq!(team.to_string(), "{job=~\"team-.*\"}");
        assert_eq!(Bounds::default().to_string(), "{}");
    }

    #[test]
    fn whose_word_it_is() {
        let (job, env) = (("job", MatchOp::Regex, "team-.*"), ("env", MatchOp::Equal, "dev"));
        let teller = |matchers: &[_]| bounds(matchers).teller();
        assert_eq!((Bounds::default().teller(), teller(&[job, env])), (None, teller(&[env, job])));
        assert_ne!(teller(&[job]), teller(&[job, env]));
        assert!(teller(&[job]).is_some());
    }
}
