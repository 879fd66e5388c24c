//! How silences begin, change and end, as in Alertmanager.

use model::MatchOp;

use super::{Silence, State};
use crate::matchers::MatcherError;

/// Where a silence is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

impl SilenceState {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// A silence that is not taken, in Alertmanager's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// There is none to change.
    #[error("silence not found")]
    NotFound,
    /// It would be over before it begins.
    #[error("Failed to create silence: start time must be before end time")]
    EndsFirst,
    /// It would be over already.
    #[error("Failed to create silence: end time can't be in the past")]
    IsOver,
    /// A condition is none.
    #[error("invalid silence: invalid label matcher {index} in set 0: {reason}")]
    Matcher {
        /// Which.
        index: usize,
        /// Why.
        reason: String,
    },
    /// It would silence everything.
    #[error("invalid silence: matcher set 0: at least one matcher must not match the empty string")]
    Everything,
}

impl Silence {
    /// Where it is at a time.
    pub fn state_at(&self, now_ms: i64) -> SilenceState {
        if now_ms < self.starts_at_ms {
            SilenceState::Pending
        } else if now_ms < self.ends_at_ms {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    fn check(&self) -> Result<(), SilenceError> {
        let mut is_bounded = false;
        for (index, matcher) in self.matchers.iter().enumerate() {
            let told = |reason| SilenceError::Matcher { index, reason };
            if matcher.name.is_empty() {
                return Err(told("invalid label name \"\"".to_owned()));
            }
            let condition = matcher.condition().map_err(|MatcherError(reason)| {
                // here it is compiled as it stands
                let reason =
                    reason.replace(&format!("`^(?:{})$`", matcher.value), &format!("`{}`", matcher.value));
                told(format!("invalid regular expression {}: {reason}", model::quote::quoted(&matcher.value)))
            })?;
            is_bounded |= !condition.matches("");
        }
        if is_bounded { Ok(()) } else { Err(SilenceError::Everything) }
    }

    /// Whether this one may become the other without a new id.
    fn may_become(&self, new: &Self, now_ms: i64) -> bool {
        let is_same_second = self.starts_at_ms.div_euclid(1_000) == new.starts_at_ms.div_euclid(1_000);
        self.matchers == new.matchers
            && match self.state_at(now_ms) {
                SilenceState::Active => is_same_second && new.ends_at_ms >= now_ms,
                SilenceState::Pending => new.starts_at_ms >= now_ms,
                SilenceState::Expired => false,
            }
    }
}

impl super::SilenceMatcher {
    pub(super) fn op(&self) -> MatchOp {
        match (self.is_regex, self.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        }
    }
}

impl State {
    /// Makes a silence under `new_id`, or changes the one with `id`, and returns its id. One that cannot be changed so ends, and
    /// the new one takes its place.
    ///
    /// # Errors
    /// If it is no silence, or there is none to change.
    pub fn set_silence(
        &mut self,
        id: Option<&str>,
        mut silence: Silence,
        new_id: &str,
        now_ms: i64,
    ) -> Result<String, SilenceError> {
        if silence.starts_at_ms >= silence.ends_at_ms {
            return Err(SilenceError::EndsFirst);
        }
        if silence.ends_at_ms < now_ms {
            return Err(SilenceError::IsOver);
        }
        silence.check()?;
        silence.updated_at_ms = now_ms;
        if let Some(id) = id {
            let known = self.silences.get(id).ok_or(SilenceError::NotFound)?;
            if known.may_become(&silence, now_ms) {
                self.silences.insert(id.to_owned(), silence);
                return Ok(id.to_owned());
            }
            self.expire_silence(id, now_ms);
        }
        silence.starts_at_ms = silence.starts_at_ms.max(now_ms);
        self.silences.insert(new_id.to_owned(), silence);
        Ok(new_id.to_owned())
    }

    /// Ends a silence now; whether there is one.
    pub fn expire_silence(&mut self, id: &str, now_ms: i64) -> bool {
        let Some(found) = self.silences.get_mut(id) else { return false };
        if found.state_at(now_ms) != SilenceState::Expired {
            found.starts_at_ms = found.starts_at_ms.min(now_ms);
            found.ends_at_ms = now_ms;
            found.updated_at_ms = now_ms;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SilenceMatcher;

    fn silence(value: &str, is_regex: bool, starts_at_ms: i64, ends_at_ms: i64) -> Silence {
        let name = "a".to_owned();
        Silence {
            matchers: vec![SilenceMatcher { name, value: value.to_owned(), is_regex, is_equal: true }],
            starts_at_ms,
            ends_at_ms,
            created_by: "me".to_owned(),
            comment: String::new(),
            updated_at_ms: 0,
        }
    }

    /// What Alertmanager 0.33.1 said.
    #[test]
    fn what_is_no_silence_is_refused() {
        let mut state = State::default();
        let mut check = |silence, expect: &str| {
            let error = state.set_silence(None, silence, "s", 100).expect_err("refused");
            assert_eq!(error.to_string(), expect);
        };
        check(silence("x", false, 200, 200), "Failed to create silence: start time must be before end time");
        check(silence("x", false, 50, 90), "Failed to create silence: end time can't be in the past");
        let all = "invalid silence: matcher set 0: at least one matcher must not match the empty string";
        check(silence("", false, 50, 200), all);
        check(silence(".*", true, 50, 200), all);
        let regex = "invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"x(\": error parsing \
                     regexp: missing closing ): `x(`";
        check(silence("x(", true, 50, 200), regex);
        let error = state.set_silence(Some("t"), silence("x", false, 50, 200), "s", 100);
        assert_eq!(error, Err(SilenceError::NotFound));
        assert!(state.silences.is_empty());
    }

    #[test]
    fn silences_change_in_place_or_make_room() {
        let mut state = State::default();
        let id = state.set_silence(None, silence("x", false, 1_000, 9_000), "1", 2_500).expect("taken");
        let span = |state: &State, id: &str| (state.silences[id].starts_at_ms, state.silences[id].ends_at_ms);
        assert_eq!((id.as_str(), span(&state, "1")), ("1", (2_500, 9_000)), "not before now");
        // longer, with the same beginning
        let id = state.set_silence(Some("1"), silence("x", false, 2_500, 12_000), "2", 3_000).expect("taken");
        assert_eq!((id.as_str(), span(&state, "1")), ("1", (2_500, 12_000)));
        // about other alerts
        let id = state.set_silence(Some("1"), silence("y", false, 2_500, 12_000), "2", 3_000).expect("taken");
        assert_eq!(
            (id.as_str(), span(&state, "1"), span(&state, "2")),
            ("2", (2_500, 3_000), (3_000, 12_000))
        );
        // what is to come may move, and ends without having begun
        state.set_silence(None, silence("z", false, 5_000, 9_000), "3", 3_000).expect("taken");
        let id = state.set_silence(Some("3"), silence("z", false, 6_000, 7_000), "4", 3_000).expect("taken");
        assert_eq!((id.as_str(), state.silences["3"].state_at(3_000)), ("3", SilenceState::Pending));
        assert!(state.expire_silence("3", 4_000) && state.expire_silence("3", 4_500));
        assert_eq!(span(&state, "3"), (4_000, 4_000));
    }
}
