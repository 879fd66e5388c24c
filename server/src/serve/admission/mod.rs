//! Who may ask which port for what: tokens from a file that is read anew when it changes, and the scopes that routes need.

mod answer;
mod guard;
mod needs;
mod told;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use access::{Credentials, Grant, NotAdmitted, Refused, Tokens, TokensError, presented};
use anyhow::Context;
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{Extensions, HeaderMap, HeaderValue};
use model::{Clock, Matcher};
use store::{LayoutError, Tenant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::web_config::{Busy, InForce, VerifiedClient, WebConfig};
use crate::access_flags::AccessFlags;

pub(super) use guard::guarded;
pub(crate) use needs::{Port, Routes};

/// How often the file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// By which proxies say for which tenant they ask.
const TENANT_HEADER: HeaderName = HeaderName::from_static("x-scope-orgid");

/// What is known about those who ask.
pub(super) struct Access {
    /// Without it and users of `web`, whoever reaches a port may do everything.
    file: Option<TokensFile>,
    web: Option<Arc<WebConfig>>,
    trusts_tenant_header: bool,
    clock: Arc<dyn Clock>,
    refused: Counts,
}

struct TokensFile {
    path: PathBuf,
    in_force: RwLock<Arc<Tokens>>,
    seen: Mutex<Seen>,
    /// When it was read well, in milliseconds.
    good_ms: AtomicI64,
}

/// What was found last.
struct Seen {
    text: String,
    /// Why that is not in force.
    bad: Option<String>,
}

/// Requests that were not let through.
#[derive(Default)]
struct Counts {
    unauthorized: AtomicU64,
    forbidden: AtomicU64,
    unavailable: AtomicU64,
}

/// For whom a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// For tenant `default`, to which the server itself belongs.
    First,
    Other(Tenant),
}

/// Why a request is not let through.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    /// It says nothing about who asks.
    #[error(
        "no token was presented: expected a header \"Authorization: Bearer TOKEN\", or the token as password"
    )]
    Nobody,
    /// There are users only, and it is none of them.
    #[error("Unauthorized")]
    NoUser,
    /// It presents what is good for nothing.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// Whoever asks may not do that.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It presents a password, and many others do.
    #[error("too many passwords wait to be compared: try again later")]
    Busy,
    /// There are no users, and its connection began without a certificate.
    #[error(
        "the connection began without a certificate of the client, which is needed by now: begin another one, over TLS"
    )]
    NoCertificate,
    /// No tenant is called what it names.
    #[error("X-Scope-OrgID: {0}")]
    TenantName(LayoutError),
    /// It asks for several tenants.
    #[error(
        "X-Scope-OrgID is {asked:?}, and a request is for one tenant: what several have is not read together"
    )]
    SeveralTenants { asked: String },
    /// It is for a tenant, and asks about more.
    #[error(
        "this is about the server as a whole, which tenant {tenant} is not: only tenant default may do that"
    )]
    Server { tenant: Tenant },
}

impl Access {
    /// Reads the file; every mistake in it is told at once.
    pub(super) fn open(flags: &AccessFlags, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let file = flags.tokens_file.as_ref().map(|path| -> anyhow::Result<TokensFile> {
            let (text, tokens) = read(path, Tokens::read).map_err(anyhow::Error::msg)?;
            Ok(TokensFile {
                path: path.clone(),
                in_force: RwLock::new(Arc::new(tokens)),
                seen: Mutex::new(Seen { text, bad: None }),
                good_ms: AtomicI64::new(clock.now_ms()),
            })
        });
        let file = file.transpose().context("--access.tokens-file")?;
        let web = flags.web_config_file.as_ref().filter(|path| !path.is_empty()).map(Path::new);
        let web = web.map(WebConfig::open).transpose().context("--web.config.file")?.map(Arc::new);
        let trusts_tenant_header = flags.trusts_tenant_header;
        Ok(Self { file, web, trusts_tenant_header, clock, refused: Counts::default() })
    }

    /// What is said about TLS, headers and users.
    pub(super) fn web(&self) -> Option<&Arc<WebConfig>> {
        self.web.as_ref()
    }

    /// Whether those who ask must say who they are.
    pub(super) fn asks(&self) -> bool {
        self.file.is_some() || self.web.as_ref().is_some_and(|web| web.authenticates())
    }

    /// That will stay so.
    pub(super) fn must_ask(&self) {
        if let (None, Some(web)) = (&self.file, &self.web) {
            web.must_ask();
        }
    }

    /// What a request with these headers may do, and for which tenant. What is known of its connection is among the extensions.
    async fn admit(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        web: Option<&InForce>,
    ) -> Result<(Grant, Asked), Denied> {
        let presented = headers.get(AUTHORIZATION).and_then(|value| presented(value.as_bytes()));
        let grant = match self.token(presented.as_ref()) {
            Ok(Some(grant)) => grant,
            not => {
                let asks_users = web.is_some_and(|web| !web.file.users.is_empty());
                let is_user = asks_users && self.is_user(presented.as_ref(), web).await?;
                match not {
                    _ if is_user => Grant::everything(),
                    Err(denied) => return Err(denied),
                    Ok(_) if asks_users => return Err(Denied::NoUser),
                    Ok(_) if self.lacks_certificate(extensions, web) => return Err(Denied::NoCertificate),
                    Ok(_) => Grant::everything(),
                }
            }
        };
        let asked = self.asked(headers)?;
        if let Some(asked) = &asked {
            grant.check_tenant(&asked.to_string())?;
        }
        let of_token = || grant.tenant().map(Tenant::new).transpose().map_err(Denied::TenantName);
        let tenant = asked.map_or_else(of_token, |asked| Ok(Some(asked)))?;
        let asked = tenant.filter(|tenant| *tenant != Tenant::default()).map_or(Asked::First, Asked::Other);
        Ok((grant, asked))
    }

    /// The tenant that a header names, where headers are trusted.
    fn asked(&self, headers: &HeaderMap) -> Result<Option<Tenant>, Denied> {
        if !self.trusts_tenant_header {
            return Ok(None);
        }
        let mut asked = headers.get_all(TENANT_HEADER).iter();
        let Some(first) = asked.next() else { return Ok(None) };
        let several = asked.next().is_some() || first.as_bytes().contains(&b'|');
        if several {
            let all: Vec<String> = headers.get_all(TENANT_HEADER).iter().map(shown).collect();
            return Err(Denied::SeveralTenants { asked: all.join(", ") });
        }
        Tenant::new(&shown(first)).map(Some).map_err(Denied::TenantName)
    }

    fn lacks_certificate(&self, extensions: &Extensions, in_force: Option<&InForce>) -> bool {
        let wanted = self.web.as_ref().zip(in_force).is_some_and(|(web, now)| web.wants_certificate(now));
        wanted && extensions.get::<VerifiedClient>().is_none()
    }

    /// `None`: there are no tokens.
    fn token(&self, presented: Option<&Credentials>) -> Result<Option<Grant>, Denied> {
        let Some(file) = &self.file else { return Ok(None) };
        let tokens = Arc::clone(&file.in_force.read().unwrap_or_else(PoisonError::into_inner));
        let token = presented.ok_or(Denied::Nobody)?.token();
        Ok(Some(tokens.grant(token, self.clock.now_ms())?.clone()))
    }

    async fn is_user(
        &self,
        presented: Option<&Credentials>,
        in_force: Option<&InForce>,
    ) -> Result<bool, Denied> {
        match (presented, &self.web, in_force) {
            (Some(Credentials::Basic { user, password }), Some(web), Some(in_force)) => {
                web.admits(in_force, user, password).await.map_err(|Busy| Denied::Busy)
            }
            _ => Ok(false),
        }
    }

    fn count(&self, denied: &Denied) {
        let count = match denied {
            Denied::Nobody | Denied::NoUser | Denied::NotAdmitted(_) => &self.refused.unauthorized,
            Denied::Refused(_)
            | Denied::TenantName(_)
            | Denied::SeveralTenants { .. }
            | Denied::Server { .. }
            | Denied::NoCertificate => &self.refused.forbidden,
            Denied::Busy => &self.refused.unavailable,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts the file in force as it is now. If anything is wrong with it, what is in force stays.
    pub(super) fn read(&self) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut seen = file.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&file.path, Tokens::read_again) {
            Ok((text, tokens)) => {
                let is_new = text != seen.text || seen.bad.is_some();
                if is_new {
                    tracing::info!(tokens = tokens.len(), "tokens are in force as the file says now");
                    *file.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
                }
                *seen = Seen { text, bad: None };
                file.good_ms.store(self.clock.now_ms(), Ordering::Relaxed);
                Ok(())
            }
            Err(reason) => {
                // told once, however often it is found
                if seen.bad.as_ref() != Some(&reason) {
                    tracing::error!(reason, "file of tokens refused: the last good one stays in force");
                }
                seen.bad = Some(reason.clone());
                Err(reason)
            }
        }
    }
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

type Read = fn(&str, &str, fn(&str) -> Result<Vec<Matcher>, String>) -> Result<Tokens, TokensError>;

fn read(path: &PathBuf, read: Read) -> Result<(String, Tokens), String> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let tokens = read(&shown, &text, query::api::matchers).map_err(|error| error.to_string())?;
    check_tenants(&shown, &tokens)?;
    Ok((text, tokens))
}

/// Whether tenants can be called what tokens of a file call them.
pub(crate) fn check_tenants(file: &str, tokens: &Tokens) -> Result<(), String> {
    let mut wrong: Vec<String> = tokens
        .iter()
        .filter_map(|token| {
            let error = Tenant::new(token.grant.tenant()?).err()?;
            Some(format!("{file}: token {:?}: {error}", token.grant.name().unwrap_or_default()))
        })
        .collect();
    wrong.sort();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Reads the file now and then, and on SIGHUP, until told to stop.
pub(super) fn keep_reading(
    access: Arc<Access>,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    Ok(async move {
        loop {
            let asked = async {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => true,
                    _ = hangup.recv() => false,
                }
            };
            if tokio::time::timeout(LOOK_INTERVAL, asked).await.unwrap_or(false) {
                return;
            }
            let access = Arc::clone(&access);
            // whatever is wrong was told
            let _ = tokio::task::spawn_blocking(move || access.read()).await;
        }
    })
}

#[cfg(test)]
mod tests;
