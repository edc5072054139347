//! Why an invocation or a message fails, so that it is tried again and then kept.
//!
//! Invariant: an error is a failure that no alert reported, or that a retry can cure. A failed step that an alert reported
//! is no failure of the invocation.

use crate::config::InvalidConfig;
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::event::InvalidEvent;
use crate::domain::names::{ProfileName, Region};

/// Why an invocation or a message fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The payload is not one that Reprofile takes.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The configuration is wrong.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidConfig),
    /// Whose credentials the process has could not be found out.
    #[error("whose credentials these are could not be found out: {0}")]
    AccountUnknown(AwsError),
    /// What IAM has under a profile's name could not be read.
    #[error("the instance profile {profile} could not be read: {cause}")]
    ProfileUnread {
        /// The profile.
        profile: ProfileName,
        /// Why it was not.
        cause: AwsError,
    },
    /// The profiles of a role, all profiles, or the enabled regions could not be listed.
    #[error("where to look could not be found out: {0}{advice}", advice = without_the_list(.0))]
    ScopeUnread(AwsError),
    /// The record of a profile could not be read.
    #[error("what is remembered of {profile} could not be read: {cause}")]
    RecordUnread {
        /// The profile.
        profile: ProfileName,
        /// Why it was not.
        cause: AwsError,
    },
    /// The record of the account, or of every profile, could not be read or written.
    #[error("what is remembered of the account could not be read or written: {0}")]
    AccountRecord(AwsError),
    /// The record of a profile could not be written.
    #[error("what is to be remembered of {profile} could not be written: {cause}")]
    RecordUnwritten {
        /// The profile.
        profile: ProfileName,
        /// Why it was not.
        cause: AwsError,
    },
    /// Others wrote to the same document all the time.
    #[error("too many invocations at once remember something of {0}; it is tried again")]
    Contended(ProfileName),
    /// Another invocation works on the profile, and there is no queue to come back by.
    #[error("another invocation is at work on {0}; it is tried again")]
    Busy(ProfileName),
    /// A recheck could not be sent.
    #[error("the recheck of {profile} could not be sent: {cause}")]
    RecheckNotSent {
        /// The profile.
        profile: ProfileName,
        /// Why it was not.
        cause: AwsError,
    },
    /// A region could not be read, though it is not closed to us.
    #[error("region {region} could not be read: {cause}")]
    RegionUnread {
        /// The region.
        region: Region,
        /// Why it was not.
        cause: AwsError,
    },
    /// Every region is closed: the function's permissions are missing.
    #[error("no region at all may be read; check the function's policy: {0}")]
    EveryRegionClosed(AwsError),
    /// An alert was not delivered.
    #[error("the alert on {profile} was not delivered: {cause}")]
    AlertNotDelivered {
        /// The profile.
        profile: ProfileName,
        /// Why it was not.
        cause: AwsError,
    },
    /// The digest of a sweep was not delivered.
    #[error("what the sweep found was not delivered: {0}")]
    OverviewNotDelivered(AwsError),
    /// The invocation's time was over before every step was done.
    #[error("time was over before every instance of {0} was healed; what is left is tried again")]
    OutOfTime(ProfileName),
}

/// How to do without the list of regions, where a policy refuses it.
fn without_the_list(cause: &AwsError) -> &'static str {
    if cause.operation == "ec2:DescribeRegions" && cause.reason == ErrorKind::Denied {
        "; where a policy denies this call, list the regions in REPROFILE_REGIONS (the template's parameter Regions)"
    } else {
        ""
    }
}

impl Error {
    /// Why regions that were not read fail the invocation. A closed region is reported. One that is down is read again by
    /// rechecks, where `comes_back` says that there are any. Any other has to be tried again.
    pub(super) fn of_unread(unread: &[UnreadRegion], regions: usize, comes_back: bool) -> Vec<Self> {
        let open = unread.iter().filter(|region| !(region.is_closed() || comes_back && region.error.reason.passes()));
        let mut errors: Vec<Self> = open
            .map(|UnreadRegion { region, error }| Self::RegionUnread { region: region.clone(), cause: error.clone() })
            .collect();
        if let Some(first) = unread.first()
            && unread.len() == regions
            && unread.iter().all(UnreadRegion::is_closed)
        {
            errors.push(Self::EveryRegionClosed(first.error.clone()));
        }
        errors
    }

    /// Its stable name, for `errorType`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::InvalidConfig(_) => "InvalidConfig",
            Self::AccountUnknown(_)
            | Self::ProfileUnread { .. }
            | Self::ScopeUnread(_)
            | Self::RegionUnread { .. }
            | Self::EveryRegionClosed(_) => "StateUnread",
            Self::RecordUnread { .. } | Self::RecordUnwritten { .. } | Self::AccountRecord(_) => "MemoryUnavailable",
            Self::Contended(_) | Self::Busy(_) => "Busy",
            Self::RecheckNotSent { .. } => "RecheckNotSent",
            Self::AlertNotDelivered { .. } | Self::OverviewNotDelivered(_) => "AlertNotDelivered",
            Self::OutOfTime(_) => "OutOfTime",
        }
    }

    /// The profile that it concerns alone; `None`: it concerns every profile of the invocation.
    #[must_use]
    pub fn profile(&self) -> Option<&ProfileName> {
        match self {
            Self::ProfileUnread { profile, .. }
            | Self::RecordUnread { profile, .. }
            | Self::RecordUnwritten { profile, .. }
            | Self::Contended(profile)
            | Self::Busy(profile)
            | Self::RecheckNotSent { profile, .. }
            | Self::AlertNotDelivered { profile, .. }
            | Self::OutOfTime(profile) => Some(profile),
            Self::InvalidEvent(_)
            | Self::InvalidConfig(_)
            | Self::AccountUnknown(_)
            | Self::ScopeUnread(_)
            | Self::AccountRecord(_)
            | Self::RegionUnread { .. }
            | Self::EveryRegionClosed(_)
            | Self::OverviewNotDelivered(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_regions_refused_names_the_variable_that_needs_none() {
        let said = |operation, code| Error::ScopeUnread(AwsError::new(operation, code, "no")).to_string();
        assert!(said("ec2:DescribeRegions", "UnauthorizedOperation").contains("REPROFILE_REGIONS"));
        for (operation, code) in
            [("ec2:DescribeRegions", "RequestLimitExceeded"), ("iam:ListInstanceProfiles", "AccessDenied")]
        {
            assert!(!said(operation, code).contains("REPROFILE_REGIONS"), "{operation} {code}");
        }
    }
}
