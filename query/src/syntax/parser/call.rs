//! Function calls.

use super::{Parser, Result};
use crate::syntax::ast::{Call, Expr, ExprKind};
use crate::syntax::function::Signature;
use crate::syntax::token::Kind;

impl Parser<'_> {
    pub(super) fn call(&mut self) -> Result<Expr> {
        let name = self.advance();
        let arguments = self.arguments()?;
        let text = self.text(name);
        let Some(function) = Signature::by_name(text) else {
            return Err(self.error(name.range, format!("unknown function with name {text:?}")));
        };
        if function.experimental && !self.options.experimental_functions {
            return Err(self.error(name.range, format!("function {text:?} is not enabled")));
        }
        let range = crate::syntax::position::ByteRange::new(name.range.start, self.last_end);
        Ok(Expr { kind: ExprKind::Call(Box::new(Call { function, arguments })), range })
    }

    /// `(a, b)`
    pub(super) fn arguments(&mut self) -> Result<Vec<Expr>> {
        self.expect(Kind::LeftParen, "", "")?;
        let mut arguments = Vec::new();
        if self.take(Kind::RightParen).is_some() {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(0)?);
            let Some(comma) = self.take(Kind::Comma) else {
                self.expect(Kind::RightParen, "", "")?;
                return Ok(arguments);
            };
            // what the lexer does not understand is told first
            if !self.begins_expression() && self.peek().kind != Kind::Error {
                return Err(self.error(comma.range, "trailing commas not allowed in function call args"));
            }
        }
    }
}
