//! Three-valued logic: yes, no, unsure, each with the part of the policy that decides.
//!
//! Invariant: a yes names no part; an unsure always does.

use crate::domain::model::{Trust, TrustPart};

/// What a trust policy, or a part of one, says of EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether EC2 is let in.
    pub trust: Trust,
    /// The part that keeps EC2 out, or leaves it open; `None` where nothing lets EC2 in, and for a yes.
    pub part: Option<TrustPart>,
}

impl Verdict {
    pub(super) fn yes() -> Self {
        Self { trust: Trust::Yes, part: None }
    }

    pub(super) fn no(part: Option<TrustPart>) -> Self {
        Self { trust: Trust::No, part }
    }

    pub(super) fn unsure(part: TrustPart) -> Self {
        Self { trust: Trust::Unsure, part: Some(part) }
    }

    /// Of what cannot be read nothing is known.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::unsure(TrustPart::Unreadable)
    }

    pub(super) fn sure(holds: bool) -> Self {
        if holds { Self::yes() } else { Self::no(None) }
    }

    /// No beats unsure beats yes; of equals, the first tells the part.
    pub(super) fn and(self, other: Self) -> Self {
        if rank(other.trust) < rank(self.trust) { other } else { self }
    }

    /// Yes beats unsure beats no; of equals, the first that knows the part.
    pub(super) fn or(self, other: Self) -> Self {
        let is_better = rank(other.trust) > rank(self.trust);
        let says_more = other.trust == self.trust && self.part.is_none();
        if is_better || says_more { other } else { self }
    }
}

/// From what is surely false to what is surely true.
pub(super) fn rank(trust: Trust) -> u8 {
    match trust {
        Trust::No => 0,
        Trust::Unsure => 1,
        Trust::Yes => 2,
    }
}

/// The contrary of a truth.
pub(super) fn not(trust: Trust) -> Trust {
    match trust {
        Trust::Yes => Trust::No,
        Trust::No => Trust::Yes,
        Trust::Unsure => Trust::Unsure,
    }
}

/// Whether any holds: no where there is none.
pub(super) fn any(truths: impl IntoIterator<Item = Trust>) -> Trust {
    truths.into_iter().max_by_key(|trust| rank(*trust)).unwrap_or(Trust::No)
}
