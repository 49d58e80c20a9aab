//! Namespaces of a template, emptied when it has run.
//!
//! They are the only values that a template can change, so the only ones that can come to hold
//! themselves: memory counted by references would then never be given back.

use super::bound::Meter;
use minijinja::value::{Value, ValueOrKwargs};
use minijinja::{Environment, Error, context, functions};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a namespace counts beside its values.
const BYTES: usize = 256;

/// Those that a template has made.
#[derive(Clone, Default)]
pub(super) struct Namespaces(Arc<Mutex<Vec<Value>>>);

impl Namespaces {
    /// Has them noted down as they are made.
    pub fn install(&self, environment: &mut Environment, meter: &Meter) {
        let (own, meter) = (self.clone(), meter.clone());
        environment.add_function("namespace", move |defaults: Option<ValueOrKwargs>| {
            meter.charge(BYTES)?;
            let made = functions::namespace(defaults)?;
            own.0.lock().unwrap_or_else(PoisonError::into_inner).push(made.clone());
            Ok::<_, Error>(made)
        });
    }

    /// Empties them. Whatever was assigned has a name, and a ring needs an assignment: values under
    /// other keys were there before the namespace was.
    pub fn clear(&self) -> Result<(), Error> {
        let made = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut by_names: BTreeMap<Vec<String>, Vec<Value>> = BTreeMap::new();
        for namespace in made {
            let names = namespace.try_iter()?.filter_map(|key| key.as_str().map(String::from));
            let names = names.filter(|name| is_name(name)).collect();
            by_names.entry(names).or_default().push(namespace);
        }
        let environment = Environment::new();
        for (names, namespaces) in by_names {
            let clear = |name: String| format!("{{% set namespace.{name} = 0 %}}");
            let clear: String = names.into_iter().map(clear).collect();
            let source = format!("{{% for namespace in namespaces %}}{clear}{{% endfor %}}");
            environment.render_str(&source, context! { namespaces })?;
        }
        Ok(())
    }
}

/// Whether a value under this key can have been assigned: what the engine takes for a name.
fn is_name(key: &str) -> bool {
    let may = |c: char| c == '_' || c.is_ascii_alphanumeric();
    key.chars().all(may) && !key.starts_with(|c: char| c.is_ascii_digit()) && !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::value::Object;

    #[derive(Debug)]
    struct Held;

    impl Object for Held {}

    /// How many references are left when `source` has run with a value of its own.
    fn references(source: &str) -> usize {
        let (held, namespaces) = (Arc::new(Held), Namespaces::default());
        let mut environment = Environment::new();
        namespaces.install(&mut environment, &Meter::new(0));
        let value = Value::from_dyn_object(held.clone());
        let result = environment.render_str(source, context! { value });
        let fails = source.contains("none.x.y") || !source.is_ascii();
        assert_eq!(result.is_err(), fails, "{source}: {result:?}");
        namespaces.clear().unwrap();
        drop((result, environment));
        Arc::strong_count(&held) - 1
    }

    #[test]
    fn namespaces_that_hold_themselves_are_given_back() {
        for source in [
            "{% set n = namespace(v=value) %}",
            "{% set n = namespace(v=value) %}{% set n.n = n %}",
            "{% set n = namespace(v=value) %}{% set n.n = [{'n': n}] %}",
            "{% set n = namespace(v=value) %}{% set n.n = n %}{{ none.x.y }}",
            "{% set a = namespace(v=value) %}{% set b = namespace({'x y': a}) %}{% set a.b = b %}",
            "{% set n = namespace(v=value) %}{% macro m() %}{{ n.v }}{% endmacro %}\
             {% set n.m = m %}",
            "{% for i in range(3) %}{% set n = namespace(v=value) %}{% set n.n = n %}{% endfor %}",
            "{% set n = namespace(v=value) %}{% set n._1 = n %}{% set n.größe = n %}",
        ] {
            assert_eq!(references(source), 0, "{source}");
        }
    }
}
