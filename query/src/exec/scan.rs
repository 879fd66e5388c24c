//! Evaluates a fragment over some of its series, one after the other, and folds them as they come.

use model::Series;

use super::aggregate::{Groups, Running};
use super::points::{Line, Points};
use super::{Budget, Common, Context, Counted, ExecError, Executor, Result, Sink, Tally, Weight};
use crate::fragment::{Fold, Fragment, GroupState, HistogramSeries, Leaf, Partial, Reading, Yield};

/// What a fragment makes of some of its series, counted while it lives. This computes, and depends on nothing but its
/// arguments; the budget can only stop it.
pub(crate) fn evaluate<'b>(
    fragment: &Fragment,
    series: &[Series],
    budget: &'b Budget,
) -> Result<(Partial, Counted<'b>)> {
    let context = Context::new(fragment.settings, budget);
    let mut counted = budget.held(Weight::default())?;
    let tallied = if fragment.settings.tallied { fragment.leaf.count() } else { 0 };
    counted.add(Tally::weight_of(tallied))?;
    let mut tally = Tally::new(fragment.settings.tallied, tallied);
    let yields = match &fragment.fold {
        None => lines(&context, fragment, series, &mut counted, &mut tally)?,
        Some(fold) => groups(&context, fragment, fold, series, &mut counted, &mut tally)?,
    };
    Ok((Partial { yields, notes: context.into_annotations(), tally }, counted))
}

fn line(
    context: &Context<'_>,
    leaf: &Leaf,
    series: &Series,
    points: Points,
    tally: &mut Tally,
) -> Result<Line> {
    context.budget.check_time()?;
    match leaf {
        Leaf::Instant(node) => context.instant_line(series, node, points, tally),
        Leaf::Windows(node, parameters) => {
            context.window_line(series, false, node, parameters, points, tally)
        }
    }
}

fn lines(
    context: &Context<'_>,
    fragment: &Fragment,
    series: &[Series],
    counted: &mut Counted<'_>,
    tally: &mut Tally,
) -> Result<Yield> {
    let mut lines = Vec::with_capacity(series.len());
    for one in series {
        let line = line(context, &fragment.leaf, one, Points::default(), tally)?;
        if !line.points.is_empty() {
            if tally.is_wanted() {
                tally.give(line.points.value_count());
            }
            counted.add(line.points.weight())?;
            lines.push(line);
        }
    }
    Ok(Yield::Lines(lines))
}

fn groups(
    context: &Context<'_>,
    fragment: &Fragment,
    fold: &Fold,
    series: &[Series],
    counted: &mut Counted<'_>,
    tally: &mut Tally,
) -> Result<Yield> {
    let count = fragment.leaf.count();
    let mut groups = Groups::new(fold.without, &fold.labels);
    let mut running: Vec<Running> = Vec::new();
    let mut histograms = Vec::new();
    let mut points = Points::default();
    for one in series {
        points.clear();
        let mut line = line(context, &fragment.leaf, one, points, tally)?;
        if !line.points.is_empty() {
            if tally.is_wanted() {
                tally.give(line.points.value_count());
            }
            let place = groups.place(&line);
            if place == running.len() {
                counted.add(Running::weight_of(fold.op, count))?;
                running.push(Running::new(fold.op, count));
            }
            running[place].add(&line.points);
            if line.points.has_histograms() {
                if running[place].ignores_histograms() {
                    context.remark_on_ignored(fold.op, fold.range);
                } else if running[place].adds_histograms() {
                    counted.add(line.points.weight())?;
                    let (name, points) =
                        (line.labels.metric_name().to_owned(), std::mem::take(&mut line.points));
                    histograms.push(HistogramSeries { place, name, points });
                }
            }
        }
        points = line.points;
    }
    let groups = groups.labels.into_iter().zip(running);
    let groups =
        groups.map(|((labels, drop_name), running)| GroupState { labels, drop_name, running }).collect();
    Ok(Yield::Groups { groups, histograms })
}

impl Leaf {
    /// At how many times it is asked for.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Instant(node) => node.times.count,
            Self::Windows(node, _) => node.grid.count,
        }
    }
}

impl Executor<'_> {
    /// What has to be computed of a selection.
    pub(super) fn fragment(&self, selected: usize, leaf: Leaf, fold: Option<Fold>) -> Fragment {
        let Common { settings, as_scraped_ms, limits } = self.common;
        let reading = Reading { as_scraped_ms, totals_only: self.plan.totals_only[selected] };
        let selection = self.plan.selections[selected].clone();
        Fragment { selection, selected, parts: None, reading, leaf, fold, settings, limits }
    }

    /// Runs a fragment, and makes sure that its results are for the times that were asked for.
    pub(super) fn run(&self, fragment: &Fragment, take: &mut dyn FnMut(Partial) -> Result<()>) -> Result<()> {
        let count = fragment.leaf.count();
        self.runner.run(fragment, &mut |partial| match partial.fits(count) {
            true => {
                self.tally.borrow_mut().absorb(&partial.tally);
                take(partial)
            }
            false => Err(ExecError::Internal { what: "a fragment gave results for other times" }),
        })
    }

    /// Hands over the line of each series of a selection.
    pub(super) fn leaf_lines(&self, selected: usize, leaf: Leaf, sink: &mut Sink<'_>) -> Result<()> {
        self.run(&self.fragment(selected, leaf, None), &mut |partial| {
            self.notes.borrow_mut().append(partial.notes);
            match partial.yields {
                Yield::Lines(lines) => lines.into_iter().try_for_each(&mut *sink),
                Yield::Groups { .. } => {
                    Err(ExecError::Internal { what: "a fragment gave groups instead of lines" })
                }
            }
        })
    }
}
