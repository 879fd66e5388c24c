//! What Go refuses when it parses a template, and the engine does not.

use gotmpl::TemplateError;
use gotmpl::parse::{BranchNode, CommandNode, DefineNode, Expr, ListNode, Node, Parser, PipeNode, Pos};

use super::functions;
use super::{Dialect, TemplateSyntaxError};
use crate::go::quote;

/// Put behind a text to see whether its blocks are balanced: unless it comes out at the end of the top level, they are
/// not. The engine takes a missing `{{end}}`, and drops what follows one too many. The newline keeps it apart from a
/// brace at the end of the text.
const SENTINEL: &str = "\n{{template \"\u{1}end\"}}";

/// A parsed text.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) body: ListNode,
    pub(super) defines: Vec<DefineNode>,
}

/// Parses a text, or says in Go's words what is wrong with it.
pub(super) fn parse(dialect: Dialect, name: &str, text: &str) -> Result<Parsed, TemplateSyntaxError> {
    let error = |line: usize, reason: String| TemplateSyntaxError { name: name.to_owned(), line, reason };
    let parse = |text: &str| {
        Parser::with_name(Some(name), text, "{{", "}}").and_then(Parser::parse).map_err(|found| {
            let (line, reason) = in_words_of_go(&found, text);
            error(line, reason)
        })
    };
    let (body, defines) = parse(text)?;
    let (guarded, guarded_defines) = parse(&format!("{text}{SENTINEL}"))?;
    if !guarded.nodes.last().is_some_and(is_sentinel) {
        let unclosed =
            holds_sentinel(&guarded) || guarded_defines.iter().any(|define| holds_sentinel(&define.body));
        let reason = match unclosed {
            true => "unexpected EOF".to_owned(),
            false => format!("unexpected {{{{{}}}}}", stray_word(&body, text)),
        };
        return Err(error(text.matches('\n').count() + 1, reason));
    }
    let scope = || Scope { dialect, variables: vec!["$".to_owned()], loops: 0 };
    for define in &defines {
        scope().list(&define.body).map_err(|(line, reason)| error(line, reason))?;
    }
    scope().list(&body).map_err(|(line, reason)| error(line, reason))?;
    Ok(Parsed { body, defines })
}

fn is_sentinel(node: &Node) -> bool {
    matches!(node, Node::Template(call) if call.name == "\u{1}end")
}

fn holds_sentinel(list: &ListNode) -> bool {
    list.nodes.iter().any(|node| match node {
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
            holds_sentinel(&branch.body) || branch.else_body.as_ref().is_some_and(holds_sentinel)
        }
        Node::List(list) => holds_sentinel(list),
        other => is_sentinel(other),
    })
}

/// Whether the word that ended the text too early was `else` or `end`.
fn stray_word(body: &ListNode, text: &str) -> &'static str {
    let read_to = body.nodes.last().map_or(0, |node| match node {
        Node::Text(node) => node.pos.offset,
        Node::Action(node) => node.pos.offset,
        Node::If(node) | Node::Range(node) | Node::With(node) => node.pos.offset,
        _ => 0,
    });
    let rest = &text[read_to.min(text.len())..];
    let at = |word: &str| rest.find(word).unwrap_or(usize::MAX);
    if at("else") < at("end") { "else" } else { "end" }
}

/// The line and Go's text for a mistake that the engine finds.
fn in_words_of_go(error: &TemplateError, text: &str) -> (usize, String) {
    let (TemplateError::Parse { line, col, message, .. } | TemplateError::Lex { line, col, message, .. }) =
        error
    else {
        return (1, error.to_string());
    };
    let reason = match message.strip_prefix("unexpected character: '").and_then(|rest| rest.chars().next()) {
        Some(character) => {
            let source_line = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
            let before: String = source_line.chars().take(col.saturating_sub(1)).collect();
            let first = before.trim_end().ends_with("{{") || before.trim_end().ends_with("{{-");
            format!(
                "unexpected {} in {}",
                quote(&character.to_string()),
                if first { "command" } else { "operand" }
            )
        }
        None if message == "empty command" => format!("missing value for {}", clause(text, *line, *col)),
        None if message == "unterminated string" => "unterminated quoted string".to_owned(),
        None if message.starts_with("expected RightParen") => "unclosed left paren".to_owned(),
        None => message.clone(),
    };
    (*line, reason)
}

/// What begins the action at a place: `if` and the like, or any command.
fn clause(text: &str, line: usize, column: usize) -> &'static str {
    let lines: String = text.split_inclusive('\n').take(line).collect();
    let in_line = lines.lines().last().unwrap_or("").chars().count();
    let read: String = lines
        .chars()
        .take(lines.trim_end_matches('\n').chars().count() - in_line.saturating_sub(column))
        .collect();
    let action = read.rsplit("{{").next().unwrap_or("").trim_start_matches('-');
    let mut words = action.split_whitespace().map(|word| word.trim_end_matches(['}', '-']));
    let first = words.next().filter(|word| *word != "else").or_else(|| words.next());
    ["if", "range", "with"].into_iter().find(|word| first == Some(word)).unwrap_or("command")
}

type Found = Result<(), (usize, String)>;

/// The variables that are declared, as far as the text was read.
struct Scope {
    dialect: Dialect,
    variables: Vec<String>,
    loops: usize,
}

impl Scope {
    fn list(&mut self, list: &ListNode) -> Found {
        list.nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Found {
        match node {
            Node::Action(action) => self.pipe(&action.pipe),
            Node::Template(call) => call.pipe.as_ref().map_or(Ok(()), |pipe| self.pipe(pipe)),
            Node::List(list) => self.list(list),
            Node::If(branch) | Node::With(branch) => self.branch(branch),
            Node::Range(branch) => {
                self.loops += 1;
                let found = self.branch(branch);
                self.loops -= 1;
                found
            }
            Node::Break(pos) if self.loops == 0 => Err((pos.line, "{{break}} outside {{range}}".to_owned())),
            Node::Continue(pos) if self.loops == 0 => {
                Err((pos.line, "{{continue}} outside {{range}}".to_owned()))
            }
            Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
        }
    }

    fn branch(&mut self, branch: &BranchNode) -> Found {
        let depth = self.variables.len();
        self.pipe(&branch.pipe)?;
        self.list(&branch.body)?;
        if let Some(otherwise) = &branch.else_body {
            self.list(otherwise)?;
        }
        self.variables.truncate(depth);
        Ok(())
    }

    fn pipe(&mut self, pipe: &PipeNode) -> Found {
        pipe.commands.iter().enumerate().try_for_each(|(stage, command)| self.command(stage, command))?;
        self.variables.extend(pipe.decl.iter().map(ToString::to_string));
        Ok(())
    }

    fn command(&mut self, stage: usize, command: &CommandNode) -> Found {
        command.args.iter().try_for_each(|arg| self.expr(arg))?;
        let cannot_run = matches!(
            command.args.first(),
            Some(Expr::Bool(..) | Expr::Dot(_) | Expr::Nil(_) | Expr::Number(..) | Expr::String(..))
        );
        if stage > 0 && cannot_run {
            let reason = format!("non executable command in pipeline stage {}", stage + 1);
            return Err((command.pos.line, reason));
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Found {
        match expr {
            Expr::Identifier(pos, name) => known_function(self.dialect, *pos, name),
            Expr::Variable(pos, name, _) if !self.variables.iter().any(|known| known == name.as_str()) => {
                Err((pos.line, format!("undefined variable {}", quote(name))))
            }
            Expr::Pipe(_, pipe) => pipe.commands.iter().enumerate().try_for_each(|(s, c)| self.command(s, c)),
            Expr::Chain(_, inner, _) => self.expr(inner),
            _ => Ok(()),
        }
    }
}

fn known_function(dialect: Dialect, pos: Pos, name: &str) -> Found {
    if functions::is_known(dialect, name) {
        Ok(())
    } else {
        Err((pos.line, format!("function {} not defined", quote(name))))
    }
}
