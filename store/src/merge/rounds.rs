//! Puts files that are in order, and come part by part, side by side: what no later part can belong to is merged at once.

use crate::segment::{Segment, SeriesRows};

/// Inputs, each in order of series and time, of which some rows have come.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    inputs: Vec<Input>,
}

#[derive(Debug, Default)]
struct Input {
    /// What has come and was not taken.
    rows: Segment,
    is_over: bool,
    wants: bool,
}

/// Rows that can be merged.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Of each input what comes before the bound.
    pub(crate) parts: Vec<Segment>,
    /// The series that may go on in a later round; `None`: all inputs are over.
    bound: Option<SeriesRows>,
}

impl Rounds {
    pub(crate) fn new(inputs: usize) -> Self {
        let input = || Input { wants: true, ..Input::default() };
        Self { inputs: (0..inputs).map(|_| input()).collect() }
    }

    /// An input that must give more before anything can be taken.
    pub(crate) fn wanting(&self) -> Option<usize> {
        self.inputs.iter().position(|input| input.wants)
    }

    /// Takes the next rows of an input; `None`: there are no more.
    pub(crate) fn give(&mut self, input: usize, part: Option<Segment>) {
        let Some(input) = self.inputs.get_mut(input) else { return };
        match part {
            Some(part) => {
                input.rows.append(part);
                input.wants = input.rows.rows.len() == 0;
            }
            None => (input.is_over, input.wants) = (true, false),
        }
    }

    /// All that lies before the least of the last rows that have come: of what is at that row or after it, more may come.
    pub(crate) fn take(&mut self) -> Round {
        let going_on = self.inputs.iter().enumerate().filter(|(_, input)| !input.is_over);
        let last = |(index, input): (usize, &Input)| {
            Some((input.rows.series.last()?.clone(), input.rows.rows.at_us.last().copied()?, index))
        };
        let least = going_on
            .filter_map(last)
            .min_by(|(a, a_us, _), (b, b_us, _)| a.order().cmp(&b.order()).then(a_us.cmp(b_us)));
        let Some((bound, bound_us, of_input)) = least else {
            let parts = self.inputs.iter_mut().map(|input| std::mem::take(&mut input.rows));
            return Round { parts: parts.collect(), bound: None };
        };
        let parts = self.inputs.iter_mut().map(|input| {
            let before = rows_before(&input.rows, &bound, bound_us);
            let part = input.rows.take_first(before);
            input.wants = !input.is_over && input.rows.rows.len() == 0;
            part
        });
        let parts = parts.collect();
        if let Some(input) = self.inputs.get_mut(of_input) {
            input.wants = true;
        }
        Round { parts, bound: Some(bound) }
    }
}

impl Round {
    /// The series of all parts, by the number of the input: in order of series, and of one series in order of inputs.
    pub(crate) fn series(&self) -> Vec<(usize, &Segment, &SeriesRows)> {
        let parts = self.parts.iter().enumerate();
        let all = parts.flat_map(|(index, part)| part.series.iter().map(move |series| (index, part, series)));
        let mut all: Vec<(usize, &Segment, &SeriesRows)> = all.collect();
        all.sort_by(|(_, _, a), (_, _, b)| a.order().cmp(&b.order()));
        all
    }

    /// Whether it is the last.
    pub(crate) fn is_last(&self) -> bool {
        self.bound.is_none()
    }

    /// Whether more rows of a series may come.
    pub(crate) fn goes_on(&self, series: &SeriesRows) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.order() == series.order())
    }
}

/// How many rows lie before a time of a series.
fn rows_before(rows: &Segment, bound: &SeriesRows, bound_us: i64) -> usize {
    let first = rows.series.partition_point(|series| series.order() < bound.order());
    let mut before = rows.series.get(first).map_or(rows.rows.len(), |series| series.range.start);
    // a series that changed its kind stands there several times
    for series in rows.series[first..].iter().take_while(|series| series.order() == bound.order()) {
        let ats_us = &rows.rows.at_us[series.range.clone()];
        let earlier = ats_us.partition_point(|at_us| *at_us < bound_us);
        before = series.range.start + earlier;
        if earlier < ats_us.len() {
            break;
        }
    }
    before
}
