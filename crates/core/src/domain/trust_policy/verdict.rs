//! Logic with three values: yes, no and unsure, each with the part of the policy that decides.
//!
//! Invariant: a yes never names a part, and an unsure always does.

use crate::domain::model::{Trust, TrustPart};

/// The verdict on a trust policy, or on a part of one: whether it lets EC2 assume the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether EC2 may assume the role.
    pub trust: Trust,
    /// The part that keeps EC2 out, or leaves it open. `None` for a yes, and where simply no statement allows EC2.
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

    /// The verdict on a policy that cannot be parsed: unsure.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::unsure(TrustPart::Unreadable)
    }

    pub(super) fn sure(holds: bool) -> Self {
        if holds { Self::yes() } else { Self::no(None) }
    }

    /// Both must hold: no before unsure before yes. Of two equal verdicts the first one stays.
    pub(super) fn and(self, other: Self) -> Self {
        if rank(other.trust) < rank(self.trust) { other } else { self }
    }

    /// One must hold: yes before unsure before no. Of two equal verdicts the first one with a part stays.
    pub(super) fn or(self, other: Self) -> Self {
        let is_better = rank(other.trust) > rank(self.trust);
        let says_more = other.trust == self.trust && self.part.is_none();
        if is_better || says_more { other } else { self }
    }
}

/// Orders the three values: no, unsure, yes.
pub(super) fn rank(trust: Trust) -> u8 {
    match trust {
        Trust::No => 0,
        Trust::Unsure => 1,
        Trust::Yes => 2,
    }
}

/// The negation: unsure stays unsure.
pub(super) fn not(trust: Trust) -> Trust {
    match trust {
        Trust::Yes => Trust::No,
        Trust::No => Trust::Yes,
        Trust::Unsure => Trust::Unsure,
    }
}

/// Whether at least one holds. No, for an empty list.
pub(super) fn any(truths: impl IntoIterator<Item = Trust>) -> Trust {
    truths.into_iter().max_by_key(|trust| rank(*trust)).unwrap_or(Trust::No)
}
