//! What whoever asks may do.

use std::sync::Arc;

use model::{Labels, Teller};

use crate::bounds::Bounds;
use crate::scope::{Scope, Scopes};

/// What a request may do. It travels with the request; a request that carries none may do everything, since whoever took it had
/// nobody to ask, or has asked already. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Grant(Option<Arc<Granted>>);

#[derive(Debug)]
struct Granted {
    name: String,
    scopes: Scopes,
    tenant: Option<String>,
    bounds: Bounds,
    teller: Option<Teller>,
}

/// Something that a token does not allow. The texts are for its bearer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something of another kind.
    #[error("token {token:?} has no scope {scope}: it has {scopes}")]
    Scope {
        /// The token's name.
        token: String,
        /// What would be needed.
        scope: Scope,
        /// What there is.
        scopes: Scopes,
    },
    /// A series of others.
    #[error("token {token:?} is bound to {bounds}, and series {series} is outside of that")]
    Series {
        /// The token's name.
        token: String,
        /// What it is bound to.
        bounds: Bounds,
        /// The series.
        series: Labels,
    },
    /// A group that is of others, or may hold series of others.
    #[error(
        "token {token:?} is bound to {bounds}, and group {group} is outside of that: a group must have each of these labels itself, and a value that matches"
    )]
    Group {
        /// The token's name.
        token: String,
        /// What it is bound to.
        bounds: Bounds,
        /// The labels of the group.
        group: Labels,
    },
    /// Something that is about all series at once.
    #[error("token {token:?} is bound to {bounds}, and this is about more than that")]
    Whole {
        /// The token's name.
        token: String,
        /// What it is bound to.
        bounds: Bounds,
    },
    /// What another tenant has.
    #[error("token {token:?} is for tenant {tenant:?}, and this is tenant {asked:?}")]
    Tenant {
        /// The token's name.
        token: String,
        /// The tenant that it is for.
        tenant: String,
        /// The tenant that was asked.
        asked: String,
    },
}

impl Grant {
    /// Everything is allowed.
    pub fn everything() -> Self {
        Self(None)
    }

    /// What the token of this name allows. Without a tenant, it is good for all of them.
    pub fn new(name: impl Into<String>, scopes: Scopes, tenant: Option<String>, bounds: Bounds) -> Self {
        let (name, teller) = (name.into(), bounds.teller());
        Self(Some(Arc::new(Granted { name, scopes, tenant, bounds, teller })))
    }

    /// The name of the token.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref().map(|granted| &*granted.name)
    }

    /// Its scopes.
    pub fn scopes(&self) -> Scopes {
        self.0.as_deref().map_or(Scopes::ALL, |granted| granted.scopes)
    }

    /// The tenant that it is for, if it is for one.
    pub fn tenant(&self) -> Option<&str> {
        self.0.as_deref().and_then(|granted| granted.tenant.as_deref())
    }

    /// Which series it is about.
    pub fn bounds(&self) -> Bounds {
        self.0.as_deref().map(|granted| granted.bounds.clone()).unwrap_or_default()
    }

    /// Whose word on metric families it is that comes with it; `None`: everybody's.
    pub fn teller(&self) -> Option<Teller> {
        self.0.as_deref().and_then(|granted| granted.teller)
    }

    /// Whether it is about some series only.
    pub fn is_bounded(&self) -> bool {
        self.0.as_deref().is_some_and(|granted| !granted.bounds.is_everything())
    }

    /// Whether a series with these labels may be seen.
    pub fn admits(&self, series: &Labels) -> bool {
        self.0.as_deref().is_none_or(|granted| granted.bounds.admit(series))
    }

    /// Whether a group with these labels may be changed.
    pub fn admits_group(&self, group: &Labels) -> bool {
        self.0.as_deref().is_none_or(|granted| granted.bounds.admit_group(group))
    }

    /// # Errors
    /// If things of this kind are not allowed.
    pub fn check_scope(&self, scope: Scope) -> Result<(), Refused> {
        match self.0.as_deref() {
            Some(Granted { name, scopes, .. }) if !scopes.allow(scope) => {
                Err(Refused::Scope { token: name.clone(), scope, scopes: *scopes })
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// If a series with these labels may not be written.
    pub fn check_series(&self, series: &Labels) -> Result<(), Refused> {
        match self.0.as_deref() {
            Some(Granted { name, bounds, .. }) if !bounds.admit(series) => {
                Err(Refused::Series { token: name.clone(), bounds: bounds.clone(), series: series.clone() })
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// If a group with these labels may not be changed.
    pub fn check_group(&self, group: &Labels) -> Result<(), Refused> {
        match self.0.as_deref() {
            Some(Granted { name, bounds, .. }) if !bounds.admit_group(group) => {
                Err(Refused::Group { token: name.clone(), bounds: bounds.clone(), group: group.clone() })
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// If not all series are within the bounds.
    pub fn check_whole(&self) -> Result<(), Refused> {
        match self.0.as_deref() {
            Some(Granted { name, bounds, .. }) if !bounds.is_everything() => {
                Err(Refused::Whole { token: name.clone(), bounds: bounds.clone() })
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// If it is for another tenant than this one.
    pub fn check_tenant(&self, asked: &str) -> Result<(), Refused> {
        match self.0.as_deref() {
            Some(Granted { name, tenant: Some(tenant), .. }) if tenant != asked => {
                Err(Refused::Tenant { token: name.clone(), tenant: tenant.clone(), asked: asked.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{MatchOp, Matcher};

    use super::*;

    fn team() -> Grant {
        let matcher = Matcher::new("job", MatchOp::Regex, "team-.*").expect("a matcher");
        let scopes = [Scope::Push, Scope::Read].into_iter().collect();
        Grant::new("team", scopes, Some("default".to_owned()), Bounds::new(vec![matcher]))
    }

    #[test]
    fn what_is_refused_says_why() {
        let told = |refused: Result<(), Refused>| refused.expect_err("refused").to_string();
        let (labels, team) = (|job: &str| Labels::from_pairs([("__name__", "up"), ("job", job)]), team());
        assert_eq!(team.check_scope(Scope::Push), Ok(()));
        assert_eq!(
            told(team.check_scope(Scope::Delete)),
            r#"token "team" has no scope delete: it has push, read"#
        );
        assert_eq!((team.check_series(&labels("team-a")), team.admits(&labels("team-a"))), (Ok(()), true));
        assert_eq!(
            told(team.check_series(&labels("x"))),
            r#"token "team" is bound to {job=~"team-.*"}, and series up{job="x"} is outside of that"#
        );
        assert!(!team.admits(&labels("x")));
        assert_eq!(team.check_group(&labels("team-a")), Ok(()));
        let group = told(team.check_group(&labels("x")));
        assert!(group.starts_with(r#"token "team" is bound to {job=~"team-.*"}, and group "#), "{group}");
        assert!(told(team.check_whole()).ends_with("and this is about more than that"));
        assert_eq!(team.check_tenant("default"), Ok(()));
        assert_eq!(
            told(team.check_tenant("b")),
            r#"token "team" is for tenant "default", and this is tenant "b""#
        );
        assert!(team.is_bounded() && team.name() == Some("team"));
    }

    #[test]
    fn who_was_not_asked_may_do_everything() {
        let (grant, labels) = (Grant::everything(), Labels::from_pairs([("job", "x")]));
        for scope in Scope::ALL {
            assert_eq!(grant.check_scope(scope), Ok(()));
        }
        assert_eq!(grant.check_series(&labels), Ok(()));
        assert_eq!(grant.check_group(&labels), Ok(()));
        assert_eq!((grant.check_whole(), grant.check_tenant("x")), (Ok(()), Ok(())));
        assert!(!grant.is_bounded() && grant.bounds().is_everything() && grant.name().is_none());
    }
}
