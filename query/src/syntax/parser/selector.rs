//! `name{matchers}`, and the same as a description of one series.

use std::sync::Arc;

use model::{Labels, LabelsBuilder, MatchOp, Matcher};

use super::{Parser, Result};
use crate::syntax::ast::{Edges, Expr, ExprKind, Selector, Shift};
use crate::syntax::operator::BinaryOp;
use crate::syntax::token::{Kind, Token};

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Expr> {
        let first = self.peek();
        let name: Option<Arc<str>> = match first.kind {
            Kind::LeftBrace => None,
            Kind::Identifier | Kind::TimeWord | Kind::MetricIdentifier | Kind::Aggregate(_) => {
                self.advance();
                Some(self.text(first).into())
            }
            Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => {
                self.advance();
                Some(self.text(first).into())
            }
            Kind::Keyword(keyword) if keyword.may_name_a_metric() => {
                self.advance();
                Some(self.text(first).into())
            }
            _ => return Err(self.unexpected("", "")),
        };
        let mut matchers = Vec::new();
        if self.take(Kind::LeftBrace).is_some() {
            self.label_matchers(&mut matchers)?;
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(Labels::NAME, Arc::clone(name)));
        }
        let range = first.range.to(crate::syntax::position::ByteRange::new(self.last_end, self.last_end));
        let selector = Selector { name, matchers, shift: Shift::default(), edges: Edges::Plain };
        Ok(Expr { kind: ExprKind::Selector(Box::new(selector)), range })
    }

    /// Everything behind `{` up to `}`.
    fn label_matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<()> {
        loop {
            if self.take(Kind::RightBrace).is_some() {
                return Ok(());
            }
            matchers.push(self.label_matcher()?);
            if self.take(Kind::Comma).is_none() {
                self.expect(Kind::RightBrace, "label matching", "\",\" or \"}\"")?;
                return Ok(());
            }
        }
    }

    fn label_matcher(&mut self) -> Result<Matcher> {
        let label = self.peek();
        let name: Arc<str> = match label.kind {
            Kind::Identifier => {
                self.advance();
                self.text(label).into()
            }
            Kind::String => {
                self.advance();
                let name = self.unquote_shared(label)?;
                if !is_match_op(self.peek().kind) {
                    return Ok(Matcher::equal(Labels::NAME, name));
                }
                name
            }
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        let op = match self.peek().kind {
            Kind::Assign => MatchOp::Equal,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotRegex => MatchOp::NotRegex,
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        let value = self.expect(Kind::String, "label matching", "string")?;
        let text = self.unquote(value)?;
        Matcher::new(name, op, text)
            .map_err(|error| self.error(label.range.to(value.range), error.to_string()))
    }

    /// The labels of one series.
    pub(super) fn metric(&mut self) -> Result<Labels> {
        let mut labels = LabelsBuilder::default();
        let first = self.peek();
        let named = !matches!(first.kind, Kind::LeftBrace);
        if named {
            if !matches!(
                first.kind,
                Kind::Identifier
                    | Kind::TimeWord
                    | Kind::MetricIdentifier
                    | Kind::Aggregate(_)
                    | Kind::Keyword(_)
                    | Kind::Operator(_)
            ) {
                return Err(self.unexpected("", ""));
            }
            self.advance();
            labels.set(Labels::NAME, self.text(first));
        }
        if self.take(Kind::LeftBrace).is_some() {
            self.label_set(&mut labels)?;
        }
        Ok(labels.build())
    }

    fn label_set(&mut self, labels: &mut LabelsBuilder) -> Result<()> {
        loop {
            if self.take(Kind::RightBrace).is_some() {
                return Ok(());
            }
            let label = self.peek();
            let name = self.label_set_name(label)?;
            if label.kind == Kind::String && self.peek().kind != Kind::Assign {
                labels.set(Labels::NAME, name);
            } else {
                self.expect(Kind::Assign, "label set", "\"=\"")?;
                let value = self.expect(Kind::String, "label set", "string")?;
                labels.set(name, self.unquote(value)?);
            }
            if self.take(Kind::Comma).is_none() {
                self.expect(Kind::RightBrace, "label set", "\",\" or \"}\"")?;
                return Ok(());
            }
        }
    }

    fn label_set_name(&mut self, label: Token) -> Result<Arc<str>> {
        match label.kind {
            Kind::Identifier => {
                self.advance();
                Ok(self.text(label).into())
            }
            Kind::String => {
                self.advance();
                self.unquote_shared(label)
            }
            _ => Err(self.unexpected("label set", "identifier or \"}\"")),
        }
    }
}

fn is_match_op(kind: Kind) -> bool {
    matches!(kind, Kind::Assign | Kind::EqualRegex | Kind::NotRegex | Kind::Operator(BinaryOp::NotEqual))
}
