//! What may stand behind a binary operator: `bool`, `on`, `group_left`, `fill`.

use super::{Parser, Result};
use crate::syntax::ast::{Grouping, Matching, MatchingLabels, Side};
use crate::syntax::token::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn matching(&mut self) -> Result<(bool, Matching)> {
        let return_bool = self.take(Kind::Keyword(Keyword::Bool)).is_some();
        let mut matching = Matching::default();
        let on = match self.peek().kind {
            Kind::Keyword(Keyword::On) => Some(true),
            Kind::Keyword(Keyword::Ignoring) => Some(false),
            _ => None,
        };
        if let Some(on) = on {
            self.advance();
            matching.labels = Some(MatchingLabels { on, names: self.grouping_labels()? });
            matching.group = self.group_modifier()?;
        }
        self.fill_modifiers(&mut matching)?;
        Ok((return_bool, matching))
    }

    fn group_modifier(&mut self) -> Result<Option<Grouping>> {
        let many = match self.peek().kind {
            Kind::Keyword(Keyword::GroupLeft) => Side::Left,
            Kind::Keyword(Keyword::GroupRight) => Side::Right,
            _ => return Ok(None),
        };
        self.advance();
        let has_labels = self.peek().kind == Kind::LeftParen || !self.operand_follows();
        let include = if has_labels { self.grouping_labels()? } else { Vec::new() };
        Ok(Some(Grouping { many, include }))
    }

    /// Whether the operation goes on without labels.
    fn operand_follows(&self) -> bool {
        let fills =
            matches!(self.peek().kind, Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight));
        fills || self.begins_expression()
    }

    fn fill_modifiers(&mut self, matching: &mut Matching) -> Result<()> {
        loop {
            let token = self.peek();
            let (left, right) = match token.kind {
                Kind::Keyword(Keyword::Fill) => (true, true),
                Kind::Keyword(Keyword::FillLeft) => (true, false),
                Kind::Keyword(Keyword::FillRight) => (false, true),
                _ => return Ok(()),
            };
            // without a parenthesis it is the name of a metric
            if self.peek_second() != Kind::LeftParen {
                return Ok(());
            }
            self.advance();
            self.advance();
            let value = match self.signed_number() {
                Some(number) => number?,
                None => return Err(self.unexpected("fill modifier", "number")),
            };
            self.expect(Kind::RightParen, "fill modifier", "\")\"")?;
            if !self.options.fill_modifiers {
                return Err(self.error(token.range, "binop fill modifiers are experimental and not enabled"));
            }
            if left {
                matching.fill_left = Some(value);
            }
            if right {
                matching.fill_right = Some(value);
            }
        }
    }
}
