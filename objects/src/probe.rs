//! Proves at start that a store keeps its word.
//!
//! Several S3 servers ignore If-None-Match and If-Match on a put, or check them without a lock. On such a store two
//! writers would overwrite each other in silence, so it must be refused before anything is written to it.

use std::error::Error as _;
use std::fmt::{self, Display, Formatter};
use std::hash::{BuildHasher, RandomState};

use futures::TryStreamExt;
use futures::future::join_all;
use object_store::path::Path as Location;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use crate::outcome::{Outcome, outcome};
use crate::s3::{Mendable, S3Error};

/// Where it puts its objects, below the prefix. A server that has folders may keep the empty one.
pub const FOLDER: &str = "probe";

/// How many puts race for one name. A server that checks without a lock lets several through with this many.
const RACERS: usize = 8;

/// Why a store cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A second create went through, or several of those that raced.
    #[error(
        "{store} does not hold If-None-Match: {winners} creates of one object succeeded. Mayfly needs a store with \
         conditional puts, such as AWS S3, SeaweedFS, or a local folder"
    )]
    CreateNotExclusive {
        /// The store's own description of itself.
        store: String,
        /// How many creates succeeded.
        winners: usize,
    },
    /// An update with a stale etag went through, or several of those that raced.
    #[error(
        "{store} does not hold If-Match: {winners} updates of one version succeeded. Mayfly needs a store with \
         conditional puts, such as AWS S3, SeaweedFS, or a local folder"
    )]
    UpdateNotExclusive {
        /// The store's own description of itself.
        store: String,
        /// How many updates succeeded.
        winners: usize,
    },
    /// The store gives no etag for what was put.
    #[error("{store} gives no etag for an object that was put")]
    NoEtag {
        /// The store's own description of itself.
        store: String,
    },
    /// What is read back is not what the winner put.
    #[error("{store} does not give back what was put at {location}")]
    ReadBack {
        /// The store's own description of itself.
        store: String,
        /// The object of the probe.
        location: Location,
    },
    /// What was put is not listed.
    #[error(
        "{store} does not list what was put at {location}. Mayfly needs a store whose listings are never behind"
    )]
    NotListed {
        /// The store's own description of itself.
        store: String,
        /// The object of the probe.
        location: Location,
    },
    /// The store cannot be used at all.
    #[error("cannot {step} in {store}: {source}{}", advice(*step, source))]
    Store {
        /// The store's own description of itself.
        store: String,
        /// What was tried.
        step: Step,
        /// What the store says.
        source: Error,
    },
}

/// What a probe does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Create an object that is not there.
    Create,
    /// Overwrite the version that is there.
    Update,
    /// Read an object.
    Read,
    /// List objects.
    List,
    /// Delete an object.
    Delete,
}

impl Step {
    /// What a policy on S3 has to allow for it.
    fn permission(self) -> &'static str {
        match self {
            Self::Create | Self::Update => "s3:PutObject on the objects",
            Self::Read => "s3:GetObject on the objects",
            Self::List => "s3:ListBucket on the bucket",
            Self::Delete => "s3:DeleteObject on the objects",
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create an object",
            Self::Update => "update an object",
            Self::Read => "read an object",
            Self::List => "list objects",
            Self::Delete => "delete an object",
        })
    }
}

/// What would be right, as the end of a sentence; empty where the error does not show it.
fn advice(step: Step, error: &Error) -> String {
    let mendable = error.source().and_then(|source| source.downcast_ref::<S3Error>()?.mendable());
    match mendable {
        None => String::new(),
        Some(Mendable::Credentials) => {
            ". Check the access key, profile or role that AWS' environment variables and files name".into()
        }
        Some(Mendable::Permission) => format!(". The policy has to allow {}", step.permission()),
        Some(Mendable::Bucket) => ". Mayfly makes no buckets: make it, or name another".into(),
        Some(Mendable::Region) => ". Set AWS_REGION to the region of the bucket".into(),
        Some(Mendable::NoS3) => ". What answers there does not speak S3: check the endpoint".into(),
        Some(Mendable::Endpoint) => {
            ". Check that an S3 server is at the endpoint, by that name, port, and http or https".into()
        }
    }
}

/// Lets puts race for an object below `prefix`, first to create it and then to update it, and fails unless each race has
/// exactly one winner. What was put has to be listed and read. Takes about twenty requests and leaves nothing behind.
pub async fn conditional_put(store: &dyn ObjectStore, prefix: &Location) -> Result<(), ProbeError> {
    // Randomly keyed by the operating system, so that several can probe at the same time.
    let name = format!("{:016x}", RandomState::new().hash_one(()));
    let folder = prefix.clone().join(FOLDER);
    let location = folder.clone().join(name);
    let proven = prove(store, &folder, &location).await;
    if let Err(ProbeError::Store { step: Step::Create, source, .. }) = &proven
        && outcome(source) == Outcome::NotDone
    {
        // nothing is there, and asking again takes as long again
        return proven;
    }
    let removed = store.delete(&location).await;
    proven?;
    removed.map_err(failed(store, Step::Delete))
}

fn failed(store: &dyn ObjectStore, step: Step) -> impl Fn(Error) -> ProbeError + use<> {
    let store = store.to_string();
    move |source| ProbeError::Store { store: store.clone(), step, source }
}

async fn prove(store: &dyn ObjectStore, folder: &Location, location: &Location) -> Result<(), ProbeError> {
    let created = race(store, location, Step::Create, &PutMode::Create).await?;
    if created.winners != 1 {
        return Err(ProbeError::CreateNotExclusive { store: store.to_string(), winners: created.winners });
    }
    created.check(store, location).await?;
    let probes: Vec<ObjectMeta> =
        store.list(Some(folder)).try_collect().await.map_err(failed(store, Step::List))?;
    if !probes.iter().any(|meta| meta.location == *location) {
        return Err(ProbeError::NotListed { store: store.to_string(), location: location.clone() });
    }

    let version = UpdateVersion { e_tag: created.e_tag.clone(), version: None };
    if version.e_tag.is_none() {
        return Err(ProbeError::NoEtag { store: store.to_string() });
    }
    let updated = race(store, location, Step::Update, &PutMode::Update(version)).await?;
    if updated.winners != 1 {
        return Err(ProbeError::UpdateNotExclusive { store: store.to_string(), winners: updated.winners });
    }
    updated.check(store, location).await
}

/// What a race ended with.
struct Race {
    winners: usize,
    /// Content and etag of a winner.
    content: String,
    e_tag: Option<String>,
}

impl Race {
    async fn check(&self, store: &dyn ObjectStore, location: &Location) -> Result<(), ProbeError> {
        let failed = failed(store, Step::Read);
        let read = store.get(location).await.map_err(&failed)?;
        let e_tag = read.meta.e_tag.clone();
        let content = read.bytes().await.map_err(&failed)?;
        if content != self.content || e_tag != self.e_tag {
            return Err(ProbeError::ReadBack { store: store.to_string(), location: location.clone() });
        }
        Ok(())
    }
}

async fn race(
    store: &dyn ObjectStore,
    location: &Location,
    step: Step,
    mode: &PutMode,
) -> Result<Race, ProbeError> {
    let puts = (0..RACERS).map(|number| async move {
        let content = format!("{step:?} by {number}");
        let put = store.put_opts(location, content.clone().into(), mode.clone().into()).await;
        (content, put)
    });
    let mut race = Race { winners: 0, content: String::new(), e_tag: None };
    for (content, put) in join_all(puts).await {
        match put {
            Ok(put) => race = Race { winners: race.winners + 1, content, e_tag: put.e_tag },
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(source) => return Err(failed(store, step)(source)),
        }
    }
    Ok(race)
}

#[cfg(test)]
mod tests;
