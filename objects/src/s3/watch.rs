//! Watches the tries of one request: what time the server says, and whether a try stayed without a clear answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
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
    /// How many tries were sent.
    sent: Arc<AtomicUsize>,
    /// How many of them were answered in a way that says what was done.
    answered: Arc<AtomicUsize>,
}

impl Watch {
    /// Whether some try may have been carried out although its answer does not say so.
    pub(super) fn is_doubtful(&self) -> bool {
        self.sent.load(Ordering::Acquire) > self.answered.load(Ordering::Acquire)
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

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response() else { return Ok(()) };
        if response.status().as_u16() < SERVER_ERROR {
            self.answered.fetch_add(1, Ordering::AcqRel);
        }
        let date = response.headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        self.date.set(date.map(|date| date.secs()));
        Ok(())
    }
}
