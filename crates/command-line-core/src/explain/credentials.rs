//! When EC2 last took credentials for the instances, as CloudTrail shows it.
//!
//! Invariant: a region that was not read, or not far enough, is named, and never passes for "EC2 took none".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use time::Duration;
use time::format_description::well_known::Rfc3339;

use super::lookups::Lookups;
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::credentials::CredentialsRequest;
use reprofile_core::domain::model::{Affected, Case, InstanceState, Profile, Role, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName, Region, RoleName};
use reprofile_core::ports::{Account, Clock, Iam, Page, Trail};
use reprofile_core::reconcile::context::Context;

/// How far back CloudTrail is asked. EC2 renews credentials before their six hours end.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
pub(super) const HOURS: i64 = 24;

/// The most regions that are asked.
pub(super) const REGIONS: usize = 4;

/// What CloudTrail shows of EC2's requests for credentials.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// It was not asked: nothing runs, or nobody wants to know.
    NotAsked,
    /// It was not asked, because IAM has no role of which it could tell.
    NoRole,
    /// It was not asked, because IAM did not say which role it is.
    RoleUnread(AwsError),
    /// What it shows of this role, in each region with running instances.
    Of(Role, BTreeMap<Region, Asked>),
}

/// What came of asking in one region.
#[derive(Debug)]
pub(crate) enum Asked {
    /// This.
    Shown(Shown),
    /// It did not answer.
    InVain(AwsError),
    /// It was not asked, for there are many regions.
    LeftOut,
}

/// What CloudTrail shows in one region.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The newest request for each instance.
    pub(super) newest: BTreeMap<InstanceId, CredentialsRequest>,
    /// From when on the records were read.
    pub(super) from: Timestamp,
    /// Whether there are more records than were read.
    pub(super) is_cut: bool,
}

impl Credentials {
    /// Asks for the role of the profile, one page in each region.
    pub(super) async fn look_up<A: Account, T: Trail>(
        context: &Context<A>,
        lookups: &Lookups<'_, T>,
        profile: &ProfileName,
        (live, memory): (Option<&Profile>, Option<&ProfileRecord>),
        instances: &[Affected],
    ) -> Self {
        let running: Vec<&Affected> =
            instances.iter().filter(|one| one.instance.state == InstanceState::Running).collect();
        if running.is_empty() {
            return Self::NotAsked;
        }
        let role = match role(context, profile, live, memory).await {
            Ok(Some(role)) => role,
            Ok(None) => return Self::NoRole,
            Err(error) => return Self::RoleUnread(error),
        };
        let arn = context.role_arn(&role);
        let from = context.aws.clock().now() - Duration::hours(HOURS);
        // Those with broken instances come first.
        let mut regions: Vec<&Region> =
            running.iter().filter(|one| one.case != Case::Healthy).map(|one| &one.region).collect();
        let all: BTreeSet<&Region> = running.iter().map(|one| &one.region).collect();
        regions.sort_unstable();
        regions.dedup();
        regions.extend(all.iter().filter(|region| !regions.contains(region)).copied().collect::<Vec<_>>());
        let left_out = regions.split_off(regions.len().min(REGIONS));
        let ask = async |region: &Region| match lookups.page(region, &arn, from, None).await {
            Ok(page) => (region.clone(), Asked::Shown(Shown::of(&page, from))),
            Err(error) => (region.clone(), Asked::InVain(error)),
        };
        let mut asked: BTreeMap<Region, Asked> = join_all(regions.into_iter().map(ask)).await.into_iter().collect();
        asked.extend(left_out.into_iter().map(|region| (region.clone(), Asked::LeftOut)));
        Self::Of(role, asked)
    }

    /// The newest request for an instance, as far as it is known.
    pub(super) fn newest(&self, one: &Affected) -> Option<&CredentialsRequest> {
        let Self::Of(_, regions) = self else { return None };
        match regions.get(&one.region)? {
            Asked::Shown(shown) => shown.newest.get(&one.instance.id),
            Asked::InVain(_) | Asked::LeftOut => None,
        }
    }
}

/// The role to ask about: the one in the profile, else the one that was in it, or that has the profile's name.
async fn role<A: Account>(
    context: &Context<A>,
    profile: &ProfileName,
    live: Option<&Profile>,
    memory: Option<&ProfileRecord>,
) -> Result<Option<Role>, AwsError> {
    if let Some(role) = live.and_then(|live| live.role.as_ref()) {
        return Ok(Some(role.clone()));
    }
    let known = memory.and_then(ProfileRecord::last_role).cloned().or_else(|| RoleName::new(profile.as_str()).ok());
    match known {
        Some(name) => context.aws.iam().role(&name).await,
        None => Ok(None),
    }
}

impl Shown {
    /// Reads a page, which has the newest records first.
    fn of(page: &Page<Value>, from: Timestamp) -> Self {
        let mut newest = BTreeMap::new();
        for request in page.items.iter().filter_map(CredentialsRequest::read) {
            newest.entry(request.instance.clone()).or_insert(request);
        }
        let at = |record: &Value| Timestamp::parse(record["eventTime"].as_str()?, &Rfc3339).ok();
        let oldest = page.items.iter().rev().find_map(at);
        let is_cut = page.next.is_some();
        Self { newest, from: oldest.filter(|_| is_cut).unwrap_or(from), is_cut }
    }
}
