//! The operators of conditions: their names taken apart, and what they say of a value that is known.
//!
//! Invariant: an operator that IAM does not have is `None`, and so never decides anything.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;

use wildmatch::WildMatch;

/// An operator, with what is set before and behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    /// How it compares.
    pub(super) compares: Compares,
    /// Whether it holds where the comparison does not.
    pub(super) is_negated: bool,
    /// Whether it holds where the key is missing: `…IfExists`.
    pub(super) if_exists: bool,
    /// `ForAnyValue:` or `ForAllValues:`.
    pub(super) set: Option<Set>,
}

/// What is set before an operator for keys with several values.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// False where the key is missing.
    ForAnyValue,
    /// True where the key is missing.
    ForAllValues,
}

/// How an operator compares, whether it is negated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compares {
    /// Texts.
    Text(Match),
    /// ARNs.
    Arn,
    /// Numbers, in this order.
    Number(Order),
    /// Moments, in this order.
    Date(Order),
    /// Truths.
    Bool,
    /// Bytes.
    Bytes,
    /// An address with ranges.
    Ip,
    /// Whether the key is missing.
    Null,
}

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// To the letter.
    Exact,
    /// Without regard to case.
    AnyCase,
    /// With wildcards.
    Like,
}

impl Match {
    /// Whether a text matches what the policy has.
    pub(super) fn matches(self, pattern: &str, text: &str) -> bool {
        match self {
            Self::Exact => pattern == text,
            Self::AnyCase => pattern.eq_ignore_ascii_case(text),
            Self::Like => WildMatch::new(pattern).matches(text),
        }
    }
}

/// How what the request has stands to what the policy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Less.
    Less,
    /// Less, or equal.
    AtMost,
    /// Equal.
    Equal,
    /// Greater, or equal.
    AtLeast,
    /// Greater.
    Greater,
}

impl Order {
    /// Whether this order of the request's value to the policy's is meant.
    pub(super) fn allows(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl Operator {
    /// Reads an operator's name, in any case.
    pub(super) fn read(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (set, name) = match name.split_once(':') {
            None => (None, name.as_str()),
            Some(("foranyvalue", name)) => (Some(Set::ForAnyValue), name),
            Some(("forallvalues", name)) => (Some(Set::ForAllValues), name),
            Some(_) => return None,
        };
        let (name, if_exists) = name.strip_suffix("ifexists").map_or((name, false), |name| (name, true));
        let (compares, is_negated) = compares(name)?;
        let is_bare = set.is_none() && !if_exists;
        (compares != Compares::Null || is_bare).then_some(Self { compares, is_negated, if_exists, set })
    }

    /// Whether it holds where the request lacks the key; not for `Null`, which asks just that.
    pub(super) fn holds_without_key(self) -> bool {
        match self.set {
            _ if self.if_exists => true,
            Some(Set::ForAllValues) => true,
            Some(Set::ForAnyValue) => false,
            None => self.is_negated,
        }
    }
}

/// What a name without its ends stands for, and whether that is negated.
fn compares(name: &str) -> Option<(Compares, bool)> {
    let (compares, is_negated) = match name {
        "stringequals" => (Compares::Text(Match::Exact), false),
        "stringnotequals" => (Compares::Text(Match::Exact), true),
        "stringequalsignorecase" => (Compares::Text(Match::AnyCase), false),
        "stringnotequalsignorecase" => (Compares::Text(Match::AnyCase), true),
        "stringlike" => (Compares::Text(Match::Like), false),
        "stringnotlike" => (Compares::Text(Match::Like), true),
        "arnequals" | "arnlike" => (Compares::Arn, false),
        "arnnotequals" | "arnnotlike" => (Compares::Arn, true),
        "bool" => (Compares::Bool, false),
        "binaryequals" => (Compares::Bytes, false),
        "ipaddress" => (Compares::Ip, false),
        "notipaddress" => (Compares::Ip, true),
        "null" => (Compares::Null, false),
        _ => {
            let (of, order): (fn(Order) -> Compares, &str) = match name.strip_prefix("numeric") {
                Some(order) => (Compares::Number, order),
                None => (Compares::Date, name.strip_prefix("date")?),
            };
            let (order, is_negated) = match order {
                "equals" => (Order::Equal, false),
                "notequals" => (Order::Equal, true),
                "lessthan" => (Order::Less, false),
                "lessthanequals" => (Order::AtMost, false),
                "greaterthan" => (Order::Greater, false),
                "greaterthanequals" => (Order::AtLeast, false),
                _ => return None,
            };
            (of(order), is_negated)
        }
    };
    Some((compares, is_negated))
}
