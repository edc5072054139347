//! Parses the operators of conditions, and compares a known value with them.
//!
//! Invariant: an operator that IAM does not have is `None`, and decides nothing.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;

use wildmatch::WildMatch;

/// A condition operator, with its prefix and its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    /// The comparison, without a negation.
    pub(super) compares: Compares,
    /// Whether the operator holds where the comparison does not: `StringNotEquals`.
    pub(super) is_negated: bool,
    /// Whether the operator also holds where the request lacks the key: `…IfExists`.
    pub(super) if_exists: bool,
    /// The prefix `ForAnyValue:` or `ForAllValues:`.
    pub(super) set: Option<Set>,
}

/// The prefix of an operator, for keys with several values.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// At least one value matches. False where the request lacks the key.
    ForAnyValue,
    /// Every value matches. True where the request lacks the key.
    ForAllValues,
}

/// The comparison of an operator, whether negated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compares {
    /// Compares texts.
    Text(Match),
    /// Compares ARNs, with wildcards.
    Arn,
    /// Compares numbers, by this order.
    Number(Order),
    /// Compares dates, by this order.
    Date(Order),
    /// Compares `true` and `false`.
    Bool,
    /// Compares binary values.
    Bytes,
    /// Compares an IP address with ranges.
    Ip,
    /// Asks whether the request lacks the key.
    Null,
}

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// Letter by letter.
    Exact,
    /// Without regard to case.
    AnyCase,
    /// With the wildcards `*` and `?`.
    Like,
}

impl Match {
    /// Whether a text of the request matches a text of the policy.
    pub(super) fn matches(self, pattern: &str, text: &str) -> bool {
        match self {
            Self::Exact => pattern == text,
            Self::AnyCase => pattern.eq_ignore_ascii_case(text),
            Self::Like => WildMatch::new(pattern).matches(text),
        }
    }
}

/// The order that the request's value must have to the policy's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The request's value is less.
    Less,
    /// The request's value is less, or equal.
    AtMost,
    /// Both values are equal.
    Equal,
    /// The request's value is greater, or equal.
    AtLeast,
    /// The request's value is greater.
    Greater,
}

impl Order {
    /// Whether the operator allows this order of the request's value to the policy's.
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
    /// Parses the name of an operator, in any case.
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

    /// Whether the operator holds where the request lacks the key. Not meant for `Null`, whose value decides that.
    pub(super) fn holds_without_key(self) -> bool {
        match self.set {
            _ if self.if_exists => true,
            Some(Set::ForAllValues) => true,
            Some(Set::ForAnyValue) => false,
            None => self.is_negated,
        }
    }
}

/// The comparison behind a name without prefix and suffix, and whether it is negated.
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
