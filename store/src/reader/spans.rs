//! Reads what a request asks for span by span: cut at metric names and fingerprints, one after the other.

use std::collections::VecDeque;

use model::NeededLabels;

use super::answer::ATTEMPTS_MAX;
use super::cuts;
use super::fetch::{Fetch, Usage};
use super::files::{Plan, Streams};
use super::request::Request;
use super::unreadable::LeftOut;
use super::{Answer, ReadError, Reader, View};
use crate::segment::{Place, Span};
use crate::stats::count;

/// The spans of a request that are still to be read. Nothing is asked of the store before the first is.
#[derive(Debug)]
pub(super) struct Spans<'a> {
    reader: &'a Reader,
    /// What was listed before.
    view: Option<&'a View>,
    fetch: Fetch,
    request: Request,
    /// About how many rows a span has.
    rows_max: usize,
    plan: Option<Plan>,
    /// What is still to be read.
    spans: VecDeque<Span>,
    /// Where the next span begins, once there was one.
    reached: Option<Place>,
    /// The labels that series of earlier spans have.
    labels: Option<NeededLabels>,
    attempt: usize,
    is_over: bool,
    left_out: Vec<LeftOut>,
}

impl<'a> Spans<'a> {
    /// All that is asked for.
    pub(super) fn new(reader: &'a Reader, request: Request, rows_max: usize) -> Self {
        count(&reader.stats.selections, 1);
        Self {
            fetch: reader.fetch(),
            reader,
            view: None,
            request,
            rows_max,
            plan: None,
            spans: VecDeque::new(),
            reached: None,
            labels: None,
            attempt: 1,
            is_over: false,
            left_out: Vec::new(),
        }
    }

    /// The same, among what a view has listed.
    pub(super) fn in_view(view: &'a View, request: Request) -> Self {
        let reader = view.reader();
        Self { view: Some(view), ..Self::new(reader, request, reader.settings.batch_rows) }
    }

    /// What the next span holds; `None` when there are no more, or after an error.
    pub(super) async fn next(&mut self) -> Option<Result<Streams, ReadError>> {
        while !self.is_over {
            match self.step().await {
                // an object that is gone has been merged into another: list again, and go on where this was
                Err(error) if error.is_gone() && self.attempt < ATTEMPTS_MAX => {
                    self.attempt += 1;
                    self.plan = None;
                }
                Err(error) => {
                    self.end();
                    return Some(Err(error));
                }
                Ok(streams) => return streams.map(Ok),
            }
        }
        None
    }

    /// It failed: nothing follows.
    pub(super) fn end(&mut self) {
        count(&self.reader.stats.failures, 1);
        self.is_over = true;
    }

    /// What it went without and what it took so far.
    pub(super) fn finish(self) -> Answer<()> {
        let usage = self.usage();
        Answer { found: (), left_out: self.reader.told(self.left_out), usage }
    }

    /// What is open.
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Whether all of it was read as it was listed first.
    pub(super) fn is_of_one_listing(&self) -> bool {
        self.attempt == 1
    }

    /// What it took so far.
    pub(super) fn usage(&self) -> Usage {
        self.fetch.usage()
    }

    /// Opens the files if they are not, and reads the next span.
    async fn step(&mut self) -> Result<Option<Streams>, ReadError> {
        let plan = match self.plan.take() {
            Some(plan) => plan,
            None => self.open().await?,
        };
        let Some(span) = self.spans.front().cloned() else {
            self.is_over = true;
            return Ok(None);
        };
        let read = self.reader.read(&self.fetch, &self.request, &plan, span.clone()).await;
        self.plan = Some(plan);
        let (streams, left_out) = read?;
        self.left_out.extend(left_out);
        self.spans.pop_front();
        self.reached = span.to;
        self.is_over = self.spans.is_empty();
        Ok(Some(streams))
    }

    async fn open(&mut self) -> Result<Plan, ReadError> {
        let mut plan = match self.view {
            Some(view) if self.attempt == 1 => view.plan(&self.fetch, &self.request).await?,
            _ => self.reader.plan(&self.fetch, &self.request).await?,
        };
        // series that were given with few labels cannot be followed by others with all
        if self.reached.is_some() && self.labels.as_ref().is_some_and(|labels| *labels != plan.labels) {
            return Err(ReadError::Changed);
        }
        self.labels = Some(plan.labels.clone());
        let mut spans = cuts::spans(plan.marks(), self.rows_max, plan.aggregates);
        if spans.len() > 1 {
            plan = self.reader.look_through(&self.fetch, plan).await?;
            spans = cuts::spans(plan.marks(), self.rows_max, plan.aggregates);
        }
        self.left_out.extend(plan.left_out());
        self.spans = spans.into_iter().filter_map(|span| span.after(self.reached.as_ref())).collect();
        Ok(plan)
    }
}
