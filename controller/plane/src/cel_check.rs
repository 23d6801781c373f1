//! What a rule reaches for and may cost: a field that its schema does not have, and loops over more than is bounded.
//!
//! One walk over an expression serves both times: over the schema when a CRD is written, over the values when an object is.
//! Where the type of a part cannot be told (what a function gives), nothing is said of it.

use cel::common::ast::Expr;
use serde_json::Value;

/// Steps of one rule on the largest object that its schema allows.
pub(crate) const ESTIMATE_MAX: u64 = 10_000_000;
/// Steps of one rule on an object. A real API server stops at half of it, but counts what is done, not what might be.
pub(crate) const STEPS_MAX: u64 = 2_000_000;
/// Bytes of a request, from which the size of what has no bound follows.
const REQUEST_MAX: u64 = 3 << 20;

/// A place in a schema, or the values at one of an object.
pub(crate) trait Place: Clone {
    /// Of a field; `Err` when there is none of the name, `None` when that cannot be told.
    fn field(&self, name: &str) -> Result<Option<Self>, String>;
    /// Of the items of a list.
    fn items(&self) -> Option<Self>;
    /// The most entries that a list or map here has.
    fn size(&self) -> u64;
}

/// Of a schema.
impl Place for &Value {
    fn field(&self, name: &str) -> Result<Option<Self>, String> {
        let open =
            self["x-kubernetes-preserve-unknown-fields"] == true || self["x-kubernetes-embedded-resource"] == true;
        match (&self["properties"][name], &self["additionalProperties"]) {
            (Value::Object(_), _) => Ok(Some(&self["properties"][name])),
            (_, values @ Value::Object(_)) => Ok(Some(values)),
            // A name with underscores may stand for another one.
            (_, Value::Bool(true)) => Ok(None),
            _ if open || name.contains("__") || self["type"] != "object" => Ok(None),
            _ => Err(format!("undefined field '{name}'")),
        }
    }

    fn items(&self) -> Option<Self> {
        self["items"].is_object().then(|| &self["items"])
    }

    fn size(&self) -> u64 {
        let smallest = |entry: &Value| match entry["type"].as_str() {
            Some("object" | "array" | "string") => 2,
            _ => 1,
        };
        let (bound, entry) = match self["type"].as_str() {
            Some("array") => (&self["maxItems"], smallest(&self["items"]) + 1),
            _ => (&self["maxProperties"], smallest(&self["additionalProperties"]) + 6),
        };
        bound.as_u64().unwrap_or(REQUEST_MAX / entry)
    }
}

/// All values that an expression may have.
#[derive(Clone)]
pub(crate) struct Values<'a>(pub(crate) Vec<&'a Value>);

impl Place for Values<'_> {
    fn field(&self, name: &str) -> Result<Option<Self>, String> {
        Ok(Some(Self(self.0.iter().filter_map(|value| value.get(name)).collect())))
    }

    fn items(&self) -> Option<Self> {
        Some(Self(self.0.iter().filter_map(|value| value.as_array()).flatten().collect()))
    }

    fn size(&self) -> u64 {
        let size = |value: &&Value| value.as_array().map(Vec::len).or_else(|| Some(value.as_object()?.len()));
        self.0.iter().filter_map(size).max().unwrap_or(0) as u64
    }
}

/// The steps of a rule about `this`.
///
/// # Errors
/// A field that `this` does not have.
pub(crate) fn cost<P: Place>(rule: &Expr, this: &P, old: Option<&P>) -> Result<u64, String> {
    let mut walk = Walk { names: vec![("self", Some(this.clone()))] };
    walk.names.push(("oldSelf", old.cloned()));
    walk.expr(rule).map(|(steps, _)| steps)
}

struct Walk<'a, P> {
    names: Vec<(&'a str, Option<P>)>,
}

impl<'a, P: Place> Walk<'a, P> {
    fn expr(&mut self, expr: &'a Expr) -> Result<(u64, Option<P>), String> {
        let mut steps: u64 = 1;
        let mut place = None;
        match expr {
            Expr::Ident(name) => {
                place = self.names.iter().rev().find(|(known, _)| known == name).and_then(|(_, place)| place.clone());
            }
            Expr::Select(select) => {
                let (inner, of) = self.expr(&select.operand.expr)?;
                steps = steps.saturating_add(inner);
                place = of.map_or(Ok(None), |of| of.field(&select.field))?;
            }
            Expr::Call(call) => {
                let parts = call.target.iter().map(|target| &target.expr).chain(call.args.iter().map(|arg| &arg.expr));
                let mut first = None;
                for (i, part) in parts.enumerate() {
                    let (inner, of) = self.expr(part)?;
                    steps = steps.saturating_add(inner);
                    first = if i == 0 { of } else { first };
                }
                place = if call.func_name == "_[_]" { first.and_then(|list| list.items()) } else { None };
            }
            Expr::List(list) => {
                for element in &list.elements {
                    steps = steps.saturating_add(self.expr(&element.expr)?.0);
                }
            }
            Expr::Comprehension(each) => {
                let (range, of) = self.expr(&each.iter_range.expr)?;
                let rounds = of.as_ref().map_or(1, Place::size);
                // With two variables the first one is an index or a key.
                let item = of.and_then(|of| of.items());
                let outside = self.names.len();
                self.names.push((&each.iter_var, if each.iter_var2.is_some() { None } else { item.clone() }));
                self.names.extend(each.iter_var2.as_deref().map(|name| (name, item)));
                self.names.push((&each.accu_var, None));
                let once = self.expr(&each.loop_cond.expr)?.0.saturating_add(self.expr(&each.loop_step.expr)?.0);
                let around = self.expr(&each.accu_init.expr)?.0.saturating_add(self.expr(&each.result.expr)?.0);
                self.names.truncate(outside);
                steps = range.saturating_add(around).saturating_add(rounds.saturating_mul(once));
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) => {}
        }
        Ok((steps, place))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_schema(rule: &str) -> Result<u64, String> {
        let schema = json!({"type": "object", "properties": {
            "few": {"type": "array", "maxItems": 10, "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "many": {"type": "array", "items": {"type": "string"}},
            "named": {"type": "object", "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
        cost(&cel::Program::compile(rule).unwrap().expression().expr, &&schema, None)
    }

    #[test]
    fn a_field_that_is_not_there_is_told_wherever_it_is_asked_for() {
        for rule in [
            "self.z == 1",
            "self.few.all(x, x.z > 0)",
            "self.few[0].z > 0",
            "self.named.a.z > 0",
            "has(self.few) && self.z",
        ] {
            assert_eq!(of_schema(rule), Err("undefined field 'z'".to_owned()), "{rule}");
        }
        for rule in [
            "self.few[0].n > 0",
            "self.named.a.n > 0",
            "self.free.z > 0",
            "self.few.map(x, {'z': x.n}).all(y, y.z > 0)",
        ] {
            assert!(of_schema(rule).is_ok(), "{rule}");
        }
    }

    #[test]
    fn loops_cost_what_they_may_run_over() {
        let few = of_schema("self.few.all(x, self.few.all(y, y.n == x.n))").unwrap();
        assert!((100..2_000).contains(&few), "{few}");
        assert!(of_schema("self.many.all(x, self.many.all(y, y == x))").unwrap() > ESTIMATE_MAX);
    }

    #[test]
    fn on_an_object_a_loop_costs_what_is_there() {
        let rule = cel::Program::compile("self.all(x, self.all(y, y == x))").unwrap();
        let of = |n: usize| cost(&rule.expression().expr, &Values(vec![&json!(vec![1; n])]), None).unwrap();
        assert!(of(3) < 200 && of(725) > STEPS_MAX, "{} {}", of(3), of(725));
    }
}
