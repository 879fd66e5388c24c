//! Counts the tries that the SDK makes by itself, beyond the first of each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// How often requests were tried again; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Retries(Arc<AtomicU64>);

impl Retries {
    /// The count since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Left in the state of a request that has been tried.
#[derive(Debug)]
struct Tried;

impl Storable for Tried {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Retries {
    fn name(&self) -> &'static str {
        "Retries"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<Tried>().is_some() {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            config.interceptor_state().store_put(Tried);
        }
        Ok(())
    }
}
