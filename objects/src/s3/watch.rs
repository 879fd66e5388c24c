//! Watches the tries of one request: what time the server says, and whether a try stayed without a clear answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

use crate::AnswerTime;

/// Status codes from here on say nothing about what was done.
const SERVER_ERROR: u16 = 500;

/// Goes into a request as an interceptor; clones share what they saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    date: AnswerTime,
    doubtful: Arc<AtomicBool>,
}

impl Watch {
    /// Whether some try may have been carried out although its answer does not say so.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Acquire)
    }

    /// The date of the last answer.
    pub(super) fn date_unix_s(&self) -> Option<i64> {
        self.date.unix_s()
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response() else {
            self.doubtful.store(true, Ordering::Release);
            return Ok(());
        };
        if response.status().as_u16() >= SERVER_ERROR {
            self.doubtful.store(true, Ordering::Release);
        }
        let date = response.headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        self.date.set(date.map(|date| date.secs()));
        Ok(())
    }
}
