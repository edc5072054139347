//! The text of a name that IAM compares without regard to case.
//!
//! Invariant: comparison, order and hash agree, and none of them sees the case. The spelling is kept.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// An ASCII text that compares without regard to case.
#[derive(Clone)]
pub(super) struct AnyCase(String);

impl AnyCase {
    fn lower(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for AnyCase {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AnyCase {}

impl Hash for AnyCase {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower().for_each(|b| state.write_u8(b));
        // Ends the text, so that ("ab", "c") and ("a", "bc") hash to different values. No UTF-8 text has this byte.
        state.write_u8(0xff);
    }
}

impl PartialOrd for AnyCase {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AnyCase {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lower().cmp(other.lower())
    }
}

impl From<&str> for AnyCase {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<AnyCase> for String {
    fn from(text: AnyCase) -> Self {
        text.0
    }
}

impl AsRef<str> for AnyCase {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
