//! What is wrong with a resource: where, why and what to do, and where exactly one is while looking.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FieldError {
    /// Where it is, such as `spec.mechanics[0].discount.percentOff`.
    pub path: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// A stable name of the fault, one of [`code`].
    pub code: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.reason, self.remedy)
    }
}

/// Stable names of faults.
pub mod code {
    /// A field that the kind does not have.
    pub const UNKNOWN_FIELD: &str = "unknown-field";
    /// A field that is needed and not there, or has no value.
    pub const REQUIRED: &str = "required";
    /// A text where a number is meant, and the like.
    pub const WRONG_TYPE: &str = "wrong-type";
    /// A value with the wrong form, such as a duration `3 days`.
    pub const MALFORMED: &str = "malformed";
    /// A value that is none of those allowed.
    pub const NOT_ALLOWED: &str = "not-allowed";
    /// A value or list that is too small or too large.
    pub const OUT_OF_RANGE: &str = "out-of-range";
    /// The same name twice.
    pub const DUPLICATE: &str = "duplicate";
    /// Fields that do not go together.
    pub const CONFLICT: &str = "conflict";
    /// A name that nobody can add: a time zone, a currency, a step of the same automation.
    pub const UNKNOWN_NAME: &str = "unknown-name";
    /// A reference to another resource, or to a store or attribute of the Runtime, that is not there.
    pub const NOT_FOUND: &str = "not-found";
    /// A value that does not fit what another resource says, such as the type of an attribute.
    pub const MISFIT: &str = "misfit";
    /// Segments that contain each other.
    pub const CYCLE: &str = "cycle";
    /// Steps that lead back to themselves at once.
    pub const CYCLE_OF_STEPS: &str = "endless-steps";
    /// A field that cannot change any more.
    pub const IMMUTABLE: &str = "immutable";
    /// A budget that could be exceeded with `cover: WorstCase`.
    pub const BUDGET: &str = "budget-not-covered";
    /// What is needed to judge is itself missing or wrong, such as the Runtime.
    pub const RUNTIME: &str = "runtime-missing";
    /// A cool-down that is over before the rewards are. Nothing is refused for it.
    pub const SHORT_COOL_DOWN: &str = "short-cool-down";
    /// Text that is no YAML or JSON, or means different things to different tools.
    pub const SYNTAX: &str = "syntax";
    /// Input beyond a limit.
    pub const TOO_LARGE: &str = "too-large";

    /// Whether the fault may heal without a change of the resource, because another one appears or changes.
    pub fn is_waiting(code: &str) -> bool {
        [NOT_FOUND, MISFIT, CYCLE, BUDGET, RUNTIME].contains(&code)
    }
}

/// Where one is in a document; a chain on the stack, written out only when something is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) const SPEC: Path<'static> = Path { parent: None, step: Step::Field("spec") };

    pub(crate) fn root(field: &'a str) -> Self {
        Self { parent: None, step: Step::Field(field) }
    }

    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Field(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match (self.parent, self.step) {
            (_, Step::Index(index)) => write!(f, "[{index}]"),
            (None, Step::Field(name)) => f.write_str(name),
            (Some(_), Step::Field(name)) => write!(f, ".{name}"),
        }
    }
}

/// The most faults of one resource that are told: enough for any author, and a bound on what a hostile text costs.
pub(crate) const FAULTS_MAX: usize = 100;

/// Gathers faults, so that an author sees all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<FieldError>,
}

impl Findings {
    pub(crate) fn push(
        &mut self,
        path: impl fmt::Display,
        code: &'static str,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        match self.errors.len() {
            0..FAULTS_MAX => {
                self.errors.push(FieldError {
                    path: path.to_string(),
                    reason: reason.into(),
                    remedy: remedy.into(),
                    code,
                });
            }
            FAULTS_MAX => self.errors.push(FieldError {
                path: String::new(),
                reason: format!("more than {FAULTS_MAX} things are wrong"),
                remedy: "mend these first".to_owned(),
                code: code::TOO_LARGE,
            }),
            _ => {}
        }
    }

    /// Adds what a later check found, but not what only follows from a fault that is known already.
    pub(crate) fn follow_up(&mut self, later: Vec<FieldError>) {
        let known = self.errors.len();
        for error in later {
            if !self.errors.iter().take(known).any(|earlier| explains(earlier, &error)) && !self.errors.contains(&error)
            {
                self.errors.push(error);
            }
        }
    }
}

/// Whether `later` is likely a mere consequence of `earlier`.
fn explains(earlier: &FieldError, later: &FieldError) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let misspelt = earlier.code == code::UNKNOWN_FIELD
        && earlier.path.rsplit_once('.').is_some_and(|(parent, _)| parent == later.path);
    inside(&later.path, &earlier.path) || misspelt
}
