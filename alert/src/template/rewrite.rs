//! Turns a parsed template into one that calls our functions at every place where the engine is not like Go.
//!
//! Functions are called by names such as `humanize@7`: the number leads to the [`Site`], for messages.

use gotmpl::parse::{
    ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr, TemplateNode,
};

use super::Dialect;
use super::site::{Site, Source};

/// Reads a field, or calls a method: base, path, arguments.
pub(super) const FIELD: &str = "\u{1}field";
/// Turns a value into the text that is printed.
pub(super) const PRINT: &str = "\u{1}print";
/// Turns a value into what can be ranged over.
pub(super) const RANGE: &str = "\u{1}range";
/// Fails because a template is not there: its name.
pub(super) const NO_TEMPLATE: &str = "\u{1}no_template";

/// A function at a place.
#[derive(Debug)]
pub(super) struct Call {
    /// The name under which the tree calls it.
    pub(super) alias: String,
    /// What it is.
    pub(super) function: String,
    pub(super) site: Site,
}

/// Rewrites trees and collects the calls in them.
pub(super) struct Rewriter<'a> {
    pub(super) dialect: Dialect,
    pub(super) source: Source<'a>,
    /// The names of all definitions.
    pub(super) templates: Vec<String>,
    /// What is being rewritten: the template, or one of its definitions.
    pub(super) executing: String,
    /// The number of the first call: others have been collected before.
    pub(super) first: usize,
    pub(super) calls: Vec<Call>,
}

impl Rewriter<'_> {
    pub(super) fn list(&mut self, list: &ListNode) -> ListNode {
        ListNode { pos: list.pos, nodes: list.nodes.iter().map(|node| self.node(node)).collect() }
    }

    fn node(&mut self, node: &Node) -> Node {
        match node {
            Node::Action(action) => Node::Action(self.action(action)),
            Node::If(branch) => Node::If(self.branch(branch, None)),
            Node::With(branch) => Node::With(self.branch(branch, None)),
            Node::Range(branch) => Node::Range(self.branch(branch, Some(RANGE))),
            Node::Template(call) => self.template(call),
            Node::List(list) => Node::List(self.list(list)),
            other => other.clone(),
        }
    }

    fn action(&mut self, action: &ActionNode) -> ActionNode {
        let mut pipe = self.pipe(&action.pipe);
        if let Some(escaper) = self.escaper_at_the_end(&action.pipe) {
            // the same as `print ARGUMENTS | html`
            let command = &action.pipe.commands[action.pipe.commands.len() - 1];
            let arguments = command.args[1..].iter().map(|arg| self.expr(arg)).collect();
            let shown = self.source.command(command);
            pipe.commands.pop();
            pipe.commands.push(self.call("print", command.pos, command.pos.offset, &shown, arguments));
            pipe.commands.push(CommandNode { pos: command.pos, args: vec![escaper] });
        } else if pipe.decl.is_empty() {
            let shown = action.pipe.commands.first().map(|c| self.source.command(c)).unwrap_or_default();
            pipe.commands.push(self.call(PRINT, action.pos, action.pos.offset, &shown, Vec::new()));
        }
        ActionNode { pos: action.pos, pipe }
    }

    /// The escaper at the end of what is printed. In notifications, which may be HTML, the engine itself has to see it: what
    /// is escaped already it does not escape again.
    fn escaper_at_the_end(&self, pipe: &PipeNode) -> Option<Expr> {
        if self.dialect == Dialect::Rules || !pipe.decl.is_empty() {
            return None;
        }
        let function = pipe.commands.last()?.args.first()?;
        match function {
            Expr::Identifier(_, name) if matches!(name.as_str(), "html" | "urlquery") => {
                Some(function.clone())
            }
            _ => None,
        }
    }

    fn branch(&mut self, branch: &BranchNode, last: Option<&str>) -> BranchNode {
        let mut pipe = self.pipe(&branch.pipe);
        if let Some(function) = last {
            let shown = branch.pipe.commands.last().map(|c| self.source.command(c)).unwrap_or_default();
            pipe.commands.push(self.call(
                function,
                branch.pipe.pos,
                branch.pipe.pos.offset,
                &shown,
                Vec::new(),
            ));
        }
        BranchNode {
            pos: branch.pos,
            pipe,
            body: self.list(&branch.body),
            else_body: branch.else_body.as_ref().map(|list| self.list(list)),
        }
    }

    fn template(&mut self, call: &TemplateNode) -> Node {
        if self.templates.iter().any(|name| name == call.name.as_str()) {
            return Node::Template(TemplateNode {
                pos: call.pos,
                name: call.name.clone(),
                pipe: call.pipe.as_ref().map(|pipe| self.pipe(pipe)),
            });
        }
        let name = Expr::String(call.pos, call.name.as_str().into());
        let data = call.pipe.as_ref().map_or_else(String::new, |pipe| format!(" {}", self.source.pipe(pipe)));
        let shown = format!("{{{{template {}{data}}}}}", crate::go::quote(&call.name));
        let offset =
            self.source.text[call.pos.offset..].find(['"', '`']).map_or(0, |at| at + call.pos.offset);
        let command = self.call(NO_TEMPLATE, call.pos, offset, &shown, vec![name]);
        let pipe = PipeNode { pos: call.pos, decl: Vec::new(), commands: vec![command], is_assign: false };
        Node::Action(ActionNode { pos: call.pos, pipe })
    }

    fn pipe(&mut self, pipe: &PipeNode) -> PipeNode {
        PipeNode {
            pos: pipe.pos,
            decl: pipe.decl.clone(),
            commands: pipe.commands.iter().map(|command| self.command(command)).collect(),
            is_assign: pipe.is_assign,
        }
    }

    fn command(&mut self, command: &CommandNode) -> CommandNode {
        let Some((first, rest)) = command.args.split_first() else { return command.clone() };
        let arguments: Vec<Expr> = rest.iter().map(|arg| self.expr(arg)).collect();
        match first {
            // The engine evaluates these itself, because they skip arguments.
            Expr::Identifier(_, name) if matches!(name.as_str(), "and" | "or") => CommandNode {
                pos: command.pos,
                args: std::iter::once(first.clone()).chain(arguments).collect(),
            },
            Expr::Identifier(_, name) => {
                let shown = self.source.command(command);
                self.call(name, command.pos, command.pos.offset, &shown, arguments)
            }
            _ => match self.field(first, arguments.clone()) {
                Some(call) => call,
                None => CommandNode {
                    pos: command.pos,
                    args: std::iter::once(self.expr(first)).chain(arguments).collect(),
                },
            },
        }
    }

    /// The call that reads a field; `None` if the expression has no fields.
    fn field(&mut self, expr: &Expr, arguments: Vec<Expr>) -> Option<CommandNode> {
        let pos = expr.pos();
        let (base, fields) = match expr {
            Expr::Field(_, fields) => (Expr::Dot(pos), fields),
            Expr::Variable(_, name, fields) if !fields.is_empty() => {
                (Expr::Variable(pos, name.clone(), Vec::new()), fields)
            }
            Expr::Chain(_, inner, fields) => (self.expr(inner), fields),
            _ => return None,
        };
        let (offset, shown) = match expr {
            Expr::Chain(_, inner, _) => {
                let last = self.source.last_evaluated(inner);
                (last.pos().offset, self.source.expr(last))
            }
            other => (self.source.field_offset(other), self.source.expr(other)),
        };
        let path = Expr::String(pos, fields.join(".").into());
        let args = [base, path].into_iter().chain(arguments).collect();
        Some(self.call(FIELD, pos, offset, &shown, args))
    }

    fn expr(&mut self, expr: &Expr) -> Expr {
        let pos = expr.pos();
        match expr {
            Expr::Pipe(_, pipe) => Expr::Pipe(pos, self.pipe(pipe)),
            Expr::Identifier(_, name) => {
                let shown = name.to_string();
                nested(self.call(name, pos, pos.offset, &shown, Vec::new()))
            }
            other => match self.field(other, Vec::new()) {
                Some(command) => nested(command),
                None => other.clone(),
            },
        }
    }

    fn call(
        &mut self,
        function: &str,
        pos: Pos,
        offset: usize,
        shown: &str,
        arguments: Vec<Expr>,
    ) -> CommandNode {
        let alias = format!("{function}@{}", self.first + self.calls.len());
        let site = self.source.site(&self.executing, offset, shown);
        let name = Expr::Identifier(pos, SmolStr::from(alias.as_str()));
        self.calls.push(Call { alias, function: function.to_owned(), site });
        CommandNode { pos, args: std::iter::once(name).chain(arguments).collect() }
    }
}

/// A command as an expression.
fn nested(command: CommandNode) -> Expr {
    let pos = command.pos;
    Expr::Pipe(pos, PipeNode { pos, decl: Vec::new(), commands: vec![command], is_assign: false })
}
