//! What may stand behind an operand: `[5m]`, `[5m:1m]`, `offset`, `@`, `anchored`, `smoothed`.

use super::{Parser, Result};
use crate::syntax::ast::{At, Duration, Edges, Expr, ExprKind, RangeSelector, Selector, Shift, Subquery};
use crate::syntax::position::ByteRange;
use crate::syntax::token::{Keyword, Kind, Token};

const SHIFT_TARGETS: &str =
    "must be preceded by an instant vector selector or range vector selector or a subquery";

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr> {
        let depth = self.depth;
        loop {
            expr = match self.peek().kind {
                Kind::LeftBracket => {
                    // each range lies in the one before, so that it counts as a level
                    self.nested(|_| Ok(()))?;
                    self.depth += 1;
                    self.range_or_subquery(expr)?
                }
                Kind::Keyword(Keyword::Offset) => self.offset(expr)?,
                Kind::At => self.at(expr)?,
                Kind::Keyword(Keyword::Anchored) => self.edges(expr, Edges::Anchored)?,
                Kind::Keyword(Keyword::Smoothed) => self.edges(expr, Edges::Smoothed)?,
                _ => {
                    self.depth = depth;
                    return Ok(expr);
                }
            };
        }
    }

    fn range_or_subquery(&mut self, expr: Expr) -> Result<Expr> {
        let open = self.advance();
        let range = self.positive_duration(None)?;
        if self.take(Kind::Colon).is_some() {
            let step = match self.peek().kind {
                Kind::RightBracket => None,
                _ => Some(self.positive_duration(Some("number, duration, step(), range(), or \"]\""))?),
            };
            let close = self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?;
            let whole = expr.range.to(close.range);
            let subquery = Subquery { operand: expr, range, step, shift: Shift::default() };
            return Ok(Expr { kind: ExprKind::Subquery(Box::new(subquery)), range: whole });
        }
        let close = self.expect(Kind::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        self.range_selector(expr, range, open, close)
    }

    fn range_selector(&self, expr: Expr, range: Duration, open: Token, close: Token) -> Result<Expr> {
        let whole = expr.range.to(close.range);
        let selector_range = expr.range;
        let complaint = match expr.kind {
            ExprKind::Selector(selector) if selector.shift.offset.is_some() => {
                "no offset modifiers allowed before range"
            }
            ExprKind::Selector(selector) if selector.shift.at.is_some() => {
                "no @ modifiers allowed before range"
            }
            ExprKind::Selector(selector) if selector.edges != Edges::Plain => {
                "no anchored or smoothed modifiers allowed before range"
            }
            ExprKind::Selector(selector) => {
                let range_selector = RangeSelector { selector: *selector, selector_range, range };
                return Ok(Expr { kind: ExprKind::Range(Box::new(range_selector)), range: whole });
            }
            _ => "ranges only allowed for vector selectors",
        };
        Err(self.error(open.range.to(close.range), complaint))
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr> {
        self.advance();
        let offset = self.offset_duration()?;
        let range = expr.range;
        match shift_of(&mut expr) {
            None => Err(self.error(range, format!("offset modifier {SHIFT_TARGETS}"))),
            Some(shift) if shift.offset.is_some() => {
                Err(self.error(range, "offset may not be set multiple times"))
            }
            Some(shift) => {
                shift.offset = Some(offset);
                expr.range.end = self.last_end;
                Ok(expr)
            }
        }
    }

    fn at(&mut self, mut expr: Expr) -> Result<Expr> {
        self.advance();
        let range = expr.range;
        let at = self.at_argument(range)?;
        match shift_of(&mut expr) {
            None => Err(self.error(range, format!("@ modifier {SHIFT_TARGETS}"))),
            Some(shift) if shift.at.is_some() => {
                Err(self.error(range, "@ <timestamp> may not be set multiple times"))
            }
            Some(shift) => {
                shift.at = Some(at);
                expr.range.end = self.last_end;
                Ok(expr)
            }
        }
    }

    fn at_argument(&mut self, operand: ByteRange) -> Result<At> {
        let token = self.peek();
        if token.kind == Kind::TimeWord {
            let at = match self.text(token).to_ascii_lowercase().as_str() {
                "start" => At::Start,
                "end" => At::End,
                _ => return Err(self.unexpected("@", "timestamp")),
            };
            self.advance();
            self.expect(Kind::LeftParen, "@", "timestamp")?;
            self.expect(Kind::RightParen, "@", "timestamp")?;
            return Ok(at);
        }
        let Some(seconds) = self.signed_number() else { return Err(self.unexpected("@", "timestamp")) };
        let seconds = seconds?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "compared as Go does"
        )]
        if seconds.is_finite() && seconds < i64::MAX as f64 && seconds > i64::MIN as f64 {
            Ok(At::Time((seconds * 1_000.0).round() as i64))
        } else {
            let text = if seconds.is_finite() { format!("{seconds:.6}") } else { model::float::api(seconds) };
            Err(self.error(operand, format!("timestamp out of bounds for @ modifier: {text}")))
        }
    }

    fn edges(&mut self, mut expr: Expr, edges: Edges) -> Result<Expr> {
        let token = self.advance();
        let name = if edges == Edges::Anchored { "anchored" } else { "smoothed" };
        if !self.options.extended_range_selectors {
            return Err(self.error(token.range, format!("{name} modifier is experimental and not enabled")));
        }
        let range = expr.range;
        if let ExprKind::Subquery(_) = expr.kind {
            return Err(self.error(range, format!("{name} modifier is not supported for subqueries")));
        }
        match selector_of(&mut expr) {
            None => Err(self.error(range, format!("{name} modifier not implemented"))),
            Some(selector) if selector.edges != Edges::Plain => {
                Err(self.error(range, "anchored and smoothed modifiers cannot be used together"))
            }
            Some(selector) => {
                selector.edges = edges;
                expr.range.end = self.last_end;
                Ok(expr)
            }
        }
    }
}

fn selector_of(expr: &mut Expr) -> Option<&mut Selector> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(selector),
        ExprKind::Range(range) => Some(&mut range.selector),
        _ => None,
    }
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.kind {
        ExprKind::Subquery(subquery) => Some(&mut subquery.shift),
        ExprKind::Selector(selector) => Some(&mut selector.shift),
        ExprKind::Range(range) => Some(&mut range.selector.shift),
        _ => None,
    }
}
