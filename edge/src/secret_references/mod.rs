//! Secrets that lie in no file: what a configuration writes where it names one, and how it is found.
//!
//! | where a file could be named | the secret is |
//! |---|---|
//! | `env:NAME` | a variable of the environment |
//! | `ssm:NAME` | a parameter of AWS Systems Manager, decrypted |
//! | `secretsmanager:NAME` | a secret of AWS Secrets Manager |
//! | `secretsmanager:NAME#KEY` | the text under a key of such a secret, which is a JSON object |
//!
//! Instead of a name both services take an ARN, and are then asked in its region.

mod aws;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::{Secret, SigV4};
use futures::StreamExt as _;
use http::StatusCode;
use model::Clock;

use crate::{AuthorizationError, HttpError, SystemClock};
use aws::Aws;

/// What was found is good for so long; then it is asked for again.
pub const SECRET_AGE_MAX: Duration = Duration::from_secs(300);

/// So many secrets a configuration may refer to.
pub const SECRET_REFERENCES_MAX: usize = 100;

/// So many are asked for at once.
const AT_ONCE: usize = 8;

/// Where a secret is that no file holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// A variable of the environment.
    Variable(String),
    /// A parameter of AWS Systems Manager: name or ARN.
    Parameter(String),
    /// A secret of AWS Secrets Manager: name or ARN, and the key under which it has a text, or all of it.
    Stored {
        /// Name or ARN.
        id: String,
        /// The key of the JSON object that it is.
        key: Option<String>,
    },
}

impl SecretReference {
    /// What stands where a file could be named; `None`: it is a file. One whose name looks like a reference is told from it by
    /// `./` before it.
    pub fn of(file: &str) -> Option<Self> {
        let (scheme, rest) = file.split_once(':')?;
        match scheme {
            "env" => Some(Self::Variable(rest.to_owned())),
            "ssm" => Some(Self::Parameter(rest.to_owned())),
            "secretsmanager" => Some(match rest.split_once('#') {
                Some((id, key)) => Self::Stored { id: id.to_owned(), key: Some(key.to_owned()) },
                None => Self::Stored { id: rest.to_owned(), key: None },
            }),
            _ => None,
        }
    }
}

/// As it is written.
impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::Parameter(name) => write!(f, "ssm:{name}"),
            Self::Stored { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::Stored { id, key: Some(key) } => write!(f, "secretsmanager:{id}#{key}"),
        }
    }
}

/// Why there is no secret where one should be. What was found instead is never told.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A reference to nothing.
    #[error("names nothing behind the colon")]
    Nameless,
    /// No such variable, or it is no text.
    #[error("the environment has no such variable")]
    NoVariable,
    /// No keys of AWS.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that says no.
    #[error("answered {status}: {reason}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The kind of error and what is said of it.
        reason: String,
    },
    /// An answer without a text.
    #[error("it is no text")]
    NoText,
    /// A key is asked for, and there are none.
    #[error("it is no JSON object, so it has no keys")]
    NoObject,
    /// A key is asked for that is not there.
    #[error("it has no text under that key")]
    NoKey,
    /// A secret that is nothing.
    #[error("it is empty")]
    Empty,
}

type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Finds secrets, and remembers them for [`SECRET_AGE_MAX`].
pub struct SecretReferences {
    variables: Variables,
    clock: Arc<dyn Clock>,
    aws: Aws,
    known: Mutex<BTreeMap<SecretReference, Known>>,
}

struct Known {
    secret: Secret,
    found_ms: i64,
}

impl fmt::Debug for SecretReferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretReferences").finish_non_exhaustive()
    }
}

impl SecretReferences {
    /// Those of this process: its environment, and the account of AWS that it has.
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    pub fn of_process() -> Self {
        let variables = Arc::new(|name: &str| std::env::var(name).ok());
        Self::new(variables, SigV4::default(), Arc::new(SystemClock))
    }

    /// Those of another environment, asked for by another account. `AWS_ENDPOINT_URL_SSM`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and
    /// `AWS_ENDPOINT_URL` of that environment name other servers than Amazon's.
    pub fn new(variables: Variables, account: SigV4, clock: Arc<dyn Clock>) -> Self {
        Self { aws: Aws::new(Arc::clone(&variables), account), variables, clock, known: Mutex::default() }
    }

    /// All of these. What cannot be asked for again stays what it was, which is logged.
    pub async fn find(
        &self,
        references: BTreeSet<SecretReference>,
    ) -> BTreeMap<SecretReference, Result<Secret, ReferenceError>> {
        let found = futures::stream::iter(references).map(async |reference| {
            let secret = self.secret(&reference).await;
            (reference, secret)
        });
        let found: BTreeMap<_, _> = found.buffer_unordered(AT_ONCE).collect().await;
        // what nobody asks for any more is forgotten
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|known, _| found.contains_key(known));
        found
    }

    async fn secret(&self, reference: &SecretReference) -> Result<Secret, ReferenceError> {
        let now_ms = self.clock.now_ms();
        let age_ms_max = i64::try_from(SECRET_AGE_MAX.as_millis()).unwrap_or(i64::MAX);
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(reference).map(|known| (known.secret.clone(), now_ms - known.found_ms))
        };
        if let Some((secret, age_ms)) = &known
            && (0..age_ms_max).contains(age_ms)
        {
            return Ok(secret.clone());
        }
        match (self.text(reference).await, known) {
            (Ok(text), _) => {
                let secret = Secret::Inline(text);
                let known = Known { secret: secret.clone(), found_ms: now_ms };
                let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(reference.clone(), known);
                Ok(secret)
            }
            (Err(error), Some((secret, _))) => {
                tracing::warn!(%reference, %error, "a secret cannot be asked for again, and stays what it was");
                Ok(secret)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// White space around it does not count, as in files.
    async fn text(&self, reference: &SecretReference) -> Result<String, ReferenceError> {
        let text = match reference {
            SecretReference::Variable(name) | SecretReference::Parameter(name) if name.is_empty() => {
                return Err(ReferenceError::Nameless);
            }
            SecretReference::Stored { id, .. } if id.is_empty() => return Err(ReferenceError::Nameless),
            SecretReference::Variable(name) => (self.variables)(name).ok_or(ReferenceError::NoVariable)?,
            SecretReference::Parameter(name) => self.aws.parameter(name).await?,
            SecretReference::Stored { id, key } => {
                let text = self.aws.secret(id).await?;
                match key {
                    None => text,
                    Some(key) => under(&text, key)?,
                }
            }
        };
        match text.trim() {
            "" => Err(ReferenceError::Empty),
            text => Ok(text.to_owned()),
        }
    }
}

/// The text, or the number, under a key of a JSON object.
fn under(text: &str, key: &str) -> Result<String, ReferenceError> {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
        return Err(ReferenceError::NoObject);
    };
    match object.get(key) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(serde_json::Value::Number(number)) => Ok(number.to_string()),
        _ => Err(ReferenceError::NoKey),
    }
}
