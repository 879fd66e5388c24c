//! `sort_by_label`: the order of an answer by the values of labels, numbers in them as numbers.

use std::cmp::Ordering;

use crate::exec::{Executor, Result, Sink};
use crate::plan::Node;
use crate::syntax::Function;

impl Executor<'_> {
    /// Sorts by labels; what is equal in them, by the whole label set. In a range query the order is that of the labels.
    pub(super) fn sort_by_label(
        &self,
        function: Function,
        arguments: &[Node],
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let [operand, names @ ..] = arguments else { return Ok(()) };
        if !self.settings.instant {
            self.remark_on_order(node);
            return self.each_line(operand, sink);
        }
        let names = names.iter().map(|name| self.text(name)).collect::<Result<Vec<_>>>()?;
        let mut held = self.collect(operand)?;
        let mut lines = std::mem::take(&mut held.lines);
        lines.sort_by(|a, b| {
            let value = |labels: &model::Labels, name: &str| labels.get(name).unwrap_or("").to_owned();
            let by_names = names
                .iter()
                .map(|name| natural(&value(&a.labels, name), &value(&b.labels, name)))
                .find(|order| order.is_ne());
            let order = by_names.unwrap_or_else(|| a.labels.cmp(&b.labels));
            if function == Function::SortByLabelDesc { order.reverse() } else { order }
        });
        lines.into_iter().try_for_each(sink)
    }
}

/// Compares texts piece by piece: runs of digits as numbers, all else as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (first, second) = (piece(&mut a), piece(&mut b));
        let numbers = (number(first), number(second));
        let order = match numbers {
            (Some(first), Some(second)) => first.cmp(&second),
            _ => first.cmp(second),
        };
        if order.is_ne() || first.is_empty() {
            return order;
        }
    }
}

/// Takes a run of digits, or of what is no digit, off the front.
fn piece<'t>(text: &mut &'t str) -> &'t str {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (piece, rest) = text.split_at(end);
    *text = rest;
    piece
}

/// A number as its digits without leading zeros, which compare by length and then as text.
fn number(piece: &str) -> Option<(usize, &str)> {
    let digits = piece.starts_with(|c: char| c.is_ascii_digit());
    let significant = piece.trim_start_matches('0');
    digits.then_some((significant.len(), significant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_count_as_numbers() {
        let check = |a: &str, b: &str, expect: Ordering| assert_eq!(natural(a, b), expect, "{a} {b}");
        check("4m5", "4m600", Ordering::Less);
        check("1.2.3", "1.11.3", Ordering::Less);
        check("10", "9", Ordering::Greater);
        check("a", "b", Ordering::Less);
        check("", "a", Ordering::Less);
        check("cpu", "cpu", Ordering::Equal);
    }
}
