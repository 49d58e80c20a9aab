//! Bounds on the memory that a template may take.
//!
//! The engine counts steps, not bytes: a text that is doubled forty times takes forty steps and a
//! terabyte. So every operation that can make something larger than what it was given is followed
//! by a check, written into the template's source before it is compiled.

use super::{builtins, methods, repr};
use minijinja::machinery::{ast, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, escape_formatter, filters};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The filter that the checks are.
pub(super) const CHECK: &str = "__within_bounds";
/// Bytes that a template may make in all, whatever it is given.
const BYTES: usize = 128 << 20;
/// And for every byte that it is given.
const PER_BYTE: usize = 64;
/// What an item of a list counts beside its text.
const ITEM_BYTES: usize = 32;
const DEPTH: usize = 64;
/// A constant text may be repeated this often.
const REPEATS: i128 = 4096;
/// Raw text within loops and macros is copied without a check; steps times its length are bounded.
const RAW_BYTES: u64 = 1 << 30;

/// How much may still be made.
#[derive(Clone)]
pub(super) struct Meter(Arc<AtomicUsize>);

impl Meter {
    /// For a template that is given `bytes`.
    pub fn new(bytes: usize) -> Meter {
        Meter(Arc::new(AtomicUsize::new(bytes.saturating_mul(PER_BYTE).saturating_add(BYTES))))
    }

    /// Takes `bytes` off.
    pub fn charge(&self, bytes: usize) -> Result<(), Error> {
        let less = |left: usize| left.checked_sub(bytes);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(too_much()),
        }
    }

    /// The check after an operation.
    pub fn check(&self, value: Value) -> Result<Value, Error> {
        let mut left = self.0.load(Ordering::Relaxed);
        let bytes = left;
        weigh(&value, &mut left, 0)?;
        self.charge(bytes - left)?;
        Ok(value)
    }

    /// The text of a value that is checked.
    pub fn text(&self, value: Value) -> Result<String, Error> {
        Ok(self.check(value)?.to_string())
    }

    /// Refuses what `text.replace(old, new)` would make if it is too large.
    pub fn check_replace(&self, text: &str, old: &str, new: &str) -> Result<(), Error> {
        let found = if old.is_empty() { text.len() + 1 } else { text.matches(old).count() };
        self.charge(text.len().saturating_add(found.saturating_mul(new.len())))
    }

    /// Refuses what joining `items` would make if it is too large.
    pub fn check_join(&self, items: &Value, joiner: &str) -> Result<(), Error> {
        self.check(items.clone())?;
        let gaps = items.len().unwrap_or_default();
        self.charge(gaps.saturating_mul(joiner.len()))
    }

    /// Refuses a width that a format asks for by more than four digits or from its arguments.
    pub fn check_format(&self, format: &str) -> Result<(), Error> {
        let digits = format.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        if digits > Some(4) || format.contains('*') {
            return Err(too_much());
        }
        self.charge(format.len())
    }
}

fn too_much() -> Error {
    Error::new(ErrorKind::InvalidOperation, "it takes too much memory")
}

/// Takes what a value holds off `left`; values that hold one another in a ring end it too.
fn weigh(value: &Value, left: &mut usize, depth: usize) -> Result<(), Error> {
    let own = ITEM_BYTES + value.as_str().map_or(0, str::len);
    *left = left.checked_sub(own).ok_or_else(too_much)?;
    if depth > DEPTH {
        return Err(too_much());
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
        return Ok(());
    }
    if value.len().is_none() {
        return Ok(());
    }
    for item in value.try_iter()? {
        if value.kind() == ValueKind::Map {
            weigh(&value.get_item(&item)?, left, depth + 1)?;
        }
        weigh(&item, left, depth + 1)?;
    }
    Ok(())
}

/// Puts the bounds on everything in `environment` that makes large things.
pub(super) fn install(environment: &mut Environment, meter: &Meter) {
    for name in ["batch", "chain", "pprint", "slice", "zip"] {
        environment.remove_filter(name);
    }
    let own = meter.clone();
    environment.add_filter(CHECK, move |value: Value| own.check(value));
    let own = meter.clone();
    environment.add_filter("string", move |value: Value| {
        let value = own.check(value)?;
        Ok::<_, Error>(repr::text(&value).map_or(value, Value::from))
    });
    let (own, format) = (meter.clone(), Value::from_function(filters::format));
    environment.add_filter("format", move |state: &mut State, args: Rest<Value>| {
        own.check_format(&args.first().map_or_else(String::new, ToString::to_string))?;
        args.iter().try_for_each(|value| own.check(value.clone()).map(drop))?;
        format.call(state, &args)
    });
    let own = meter.clone();
    environment.set_unknown_method_callback(move |state, value, method, args| {
        let text = |at: usize| args.get(at).map(ToString::to_string).unwrap_or_default();
        if let Some(made) = methods::call(&own, value, method, args)? {
            return Ok(made);
        }
        match (method, value.as_str()) {
            ("replace", Some(whole)) => own.check_replace(whole, &text(0), &text(1))?,
            ("join", Some(joiner)) => {
                own.check_join(args.first().unwrap_or(&Value::UNDEFINED), joiner)?;
            }
            ("format", Some(format)) => own.check_format(format)?,
            _ => {}
        }
        unknown_method_callback(state, value, method, args)
    });
    let own = meter.clone();
    environment.set_formatter(move |out, state, value| {
        own.check(value.clone())?;
        match repr::text(value) {
            Some(text) => out.write_str(&text).map_err(Error::from),
            None => escape_formatter(out, state, value),
        }
    });
    builtins::install(environment, meter);
    install_tests(environment);
}

/// What the engine and Python take differently: nothing is not iterable, texts and maps are
/// sequences.
fn install_tests(environment: &mut Environment) {
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("sequence", |value: &Value| {
        let kinds = [ValueKind::Undefined, ValueKind::String, ValueKind::Seq, ValueKind::Map];
        kinds.contains(&value.kind())
    });
}

/// A template's source with its checks, and the steps that it may take.
pub(super) fn bounded(
    source: &str,
    syntax: &SyntaxConfig,
    steps: u64,
) -> Result<(String, u64), Error> {
    let mut places = Places { source, ..Places::default() };
    places.statement(&parse(source, super::NAME, syntax.clone())?);
    let mut out = source.to_string();
    if places.refused {
        return Err(too_much());
    }
    // From the end, so that the places before stay what they are. Where several open or close, the
    // order among them does not matter: all open alike, and all close alike.
    places.inserts.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, text) in &places.inserts {
        if !out.is_char_boundary(*at) {
            return Err(Error::new(ErrorKind::SyntaxError, "it cannot be bounded"));
        }
        out.insert_str(*at, text);
    }
    let steps = steps.min(RAW_BYTES / places.longest_raw.max(1) as u64);
    Ok((out, steps))
}

/// Where checks go.
#[derive(Default)]
struct Places<'s> {
    source: &'s str,
    inserts: Vec<(usize, String)>,
    /// How many loops and macros are around.
    repeats: usize,
    longest_raw: usize,
    refused: bool,
}

impl Places<'_> {
    fn check(&mut self, start: u32, end: u32) {
        self.inserts.push((start as usize, "((".to_string()));
        self.inserts.push((end as usize, format!(")|{CHECK})")));
    }

    /// Both sides are checked, as they become text before they are joined. Between the left side
    /// and the sign there are only closing brackets.
    fn check_concat(&mut self, node: &ast::Spanned<ast::BinOp>) {
        let (span, left) = (node.span(), node.left.span().end_offset);
        let sign = self.source.get(left as usize..).and_then(|rest| rest.find('~'));
        let Some(sign) = sign else {
            self.refused = true;
            return;
        };
        let sign = left + sign as u32;
        self.check(span.start_offset, sign);
        self.check(sign + 1, span.end_offset);
    }

    /// Products of constants are made when the template is compiled, before any check.
    fn check_product(&mut self, node: &ast::Spanned<ast::BinOp>) {
        self.check(node.span().start_offset, node.span().end_offset);
        let sides = [node.left.as_const(), node.right.as_const()];
        let large = |side: &Option<Value>| {
            let count = side.as_ref().and_then(|side| i128::try_from(side.clone()).ok());
            count > Some(REPEATS)
        };
        let repeats = |side: &Option<Value>| side.as_ref().is_some_and(|side| !side.is_number());
        self.refused |= sides.iter().any(large) && sides.iter().any(repeats);
    }

    fn repeated(&mut self, statements: &[ast::Stmt]) {
        self.repeats += 1;
        self.statements(statements);
        self.repeats -= 1;
    }

    fn statements(&mut self, statements: &[ast::Stmt]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &ast::Stmt) {
        use ast::Stmt;
        match statement {
            Stmt::Template(node) => self.statements(&node.children),
            Stmt::EmitExpr(node) => self.expression(&node.expr),
            Stmt::EmitRaw(node) if self.repeats > 0 => {
                self.longest_raw = self.longest_raw.max(node.raw.len());
            }
            Stmt::ForLoop(node) => {
                self.expression(&node.iter);
                node.filter_expr.iter().for_each(|expression| self.expression(expression));
                self.repeated(&node.body);
                self.statements(&node.else_body);
            }
            Stmt::IfCond(node) => {
                self.expression(&node.expr);
                self.statements(&node.true_body);
                self.statements(&node.false_body);
            }
            Stmt::WithBlock(node) => {
                node.assignments.iter().for_each(|(_, value)| self.expression(value));
                self.statements(&node.body);
            }
            Stmt::Set(node) => self.expression(&node.expr),
            Stmt::SetBlock(node) => {
                node.filter.iter().for_each(|filter| self.expression(filter));
                self.statements(&node.body);
            }
            Stmt::AutoEscape(node) => self.statements(&node.body),
            Stmt::FilterBlock(node) => {
                self.expression(&node.filter);
                self.statements(&node.body);
            }
            Stmt::Macro(node) => self.declaration(node),
            Stmt::CallBlock(node) => {
                self.arguments(&node.call.args);
                self.declaration(&node.macro_decl);
            }
            Stmt::Do(node) => self.arguments(&node.call.args),
            _ => {}
        }
    }

    fn declaration(&mut self, declaration: &ast::Macro) {
        declaration.defaults.iter().for_each(|value| self.expression(value));
        self.repeated(&declaration.body);
    }

    fn arguments(&mut self, arguments: &[ast::CallArg]) {
        use ast::CallArg::{Kwarg, KwargSplat, Pos, PosSplat};
        for argument in arguments {
            match argument {
                Pos(value) | Kwarg(_, value) | PosSplat(value) | KwargSplat(value) => {
                    self.expression(value);
                }
            }
        }
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e ast::Expr<'e>>) {
        expressions.into_iter().for_each(|expression| self.expression(expression));
    }

    fn expression(&mut self, expression: &ast::Expr) {
        use ast::{BinOpKind, Expr};
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(node) => {
                self.expression(&node.expr);
                self.expressions(node.start.iter().chain(&node.stop).chain(&node.step));
            }
            Expr::UnaryOp(node) => self.expression(&node.expr),
            Expr::BinOp(node) => {
                match node.op {
                    BinOpKind::Concat => self.check_concat(node),
                    BinOpKind::Mul => self.check_product(node),
                    BinOpKind::Add => self.check(node.span().start_offset, node.span().end_offset),
                    _ => {}
                }
                self.expressions([&node.left, &node.right]);
            }
            Expr::Compare(node) => {
                self.expression(&node.expr);
                self.expressions(node.ops.iter().map(|op| &op.expr));
            }
            Expr::IfExpr(node) => {
                self.expressions([&node.test_expr, &node.true_expr]);
                self.expressions(&node.false_expr);
            }
            Expr::Filter(node) => {
                self.expressions(&node.expr);
                self.arguments(&node.args);
            }
            Expr::Test(node) => {
                self.expression(&node.expr);
                self.arguments(&node.args);
            }
            Expr::GetAttr(node) => self.expression(&node.expr),
            Expr::GetItem(node) => self.expressions([&node.expr, &node.subscript_expr]),
            Expr::Call(node) => {
                self.expression(&node.expr);
                self.arguments(&node.args);
            }
            Expr::List(node) => {
                self.check(node.span().start_offset, node.span().end_offset);
                self.expressions(&node.items);
            }
            Expr::Tuple(node) => self.expressions(&node.items),
            Expr::Map(node) => {
                self.check(node.span().start_offset, node.span().end_offset);
                self.expressions(&node.keys);
                self.expressions(&node.values);
            }
        }
    }
}
