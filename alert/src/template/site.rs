//! A place in a template's text, for Go's messages about what fails there.

use gotmpl::parse::{CommandNode, Expr, PipeNode, Pos};

use crate::go::quote;

/// Where something is evaluated.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// `template: NAME:LINE:COL: executing "NAME" at <TEXT>`
    context: String,
}

/// Knows the text that a tree was parsed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The name under which it was parsed.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Site {
    /// The message of a failure here.
    pub(super) fn failure(&self, reason: &str) -> String {
        format!("{}: {reason}", self.context)
    }
}

impl Source<'_> {
    /// The site at an offset; `executing` names the template or definition that is running.
    pub(super) fn site(self, executing: &str, offset: usize, shown: &str) -> Site {
        let before = &self.text[..offset.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        Site {
            context: format!(
                "template: {}:{line}:{column}: executing {} at <{shown}>",
                self.name,
                quote(executing)
            ),
        }
    }

    /// A command as Go prints it.
    pub(super) fn command(self, command: &CommandNode) -> String {
        command.args.iter().map(|arg| self.expr(arg)).collect::<Vec<_>>().join(" ")
    }

    /// A pipeline as Go prints it.
    pub(super) fn pipe(self, pipe: &PipeNode) -> String {
        let commands: Vec<_> = pipe.commands.iter().map(|command| self.command(command)).collect();
        let declared = match (pipe.decl.is_empty(), pipe.is_assign) {
            (true, _) => String::new(),
            (false, assign) => format!("{} {} ", pipe.decl.join(", "), if assign { "=" } else { ":=" }),
        };
        format!("{declared}{}", commands.join(" | "))
    }

    /// An expression as Go prints it.
    pub(super) fn expr(self, expr: &Expr) -> String {
        match expr {
            Expr::Dot(_) => ".".to_owned(),
            Expr::Nil(_) => "nil".to_owned(),
            Expr::Bool(_, value) => value.to_string(),
            Expr::Identifier(_, name) => name.to_string(),
            Expr::Field(_, fields) => format!(".{}", fields.join(".")),
            Expr::Variable(_, name, fields) if fields.is_empty() => name.to_string(),
            Expr::Variable(_, name, fields) => format!("{name}.{}", fields.join(".")),
            Expr::Pipe(_, pipe) => format!("({})", self.pipe(pipe)),
            Expr::Chain(_, inner, fields) => format!("{}.{}", self.expr(inner), fields.join(".")),
            Expr::String(pos, text) if self.text[pos.offset..].starts_with('`') => format!("`{text}`"),
            Expr::String(_, text) => quote(text),
            Expr::Number(pos, _) => self.word(*pos).to_owned(),
        }
    }

    /// The number or word at a position.
    fn word(&self, pos: Pos) -> &str {
        let rest = self.text.get(pos.offset..).unwrap_or("");
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '}' | '|')).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Where Go says that a field access stands: at the last field token it read.
    pub(super) fn field_offset(self, expr: &Expr) -> usize {
        match expr {
            Expr::Field(pos, fields) if fields.len() > 1 => pos.offset + 1 + fields[0].len(),
            Expr::Variable(pos, name, fields) if !fields.is_empty() => pos.offset + name.len(),
            other => other.pos().offset,
        }
    }

    /// What Go evaluated last in an expression: the node that it blames for what goes wrong right after it.
    pub(super) fn last_evaluated(self, expr: &Expr) -> &Expr {
        let Expr::Pipe(_, pipe) = expr else { return expr };
        match pipe.commands.last().and_then(|command| command.args.last()) {
            Some(last) => self.last_evaluated(last),
            None => expr,
        }
    }
}
