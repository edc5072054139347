//! All that is explained of one profile, or one instance: what was read, and what each level would do.
//!
//! Invariant: what was not asked, or could not be read, stands here as such, and never as nothing.

use std::collections::BTreeMap;

use super::associations::AssociationHistory;
use super::credentials::Credentials;
use super::history::History;
use crate::paste::Paste;
use crate::preview::Preview;
use reprofile_core::alert::aws_cli::Home;
use reprofile_core::alert::plain::{SHORT, code, quoted};
use reprofile_core::decide::notification::Notification;
use reprofile_core::decide::plan::{Blocker, Level};
use reprofile_core::decide::report::{ReconcileReport, UnreadRegion};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Affected;
use reprofile_core::domain::model::Ping;
use reprofile_core::domain::names::{InstanceId, Region};

/// How many instances are listed.
pub(crate) const INSTANCES: usize = 50;

/// What SSM sees of the instances of each region, or why that could not be asked.
pub(crate) type Pings = BTreeMap<Region, Result<BTreeMap<InstanceId, Ping>, AwsError>>;

/// What was looked up in CloudTrail.
#[derive(Debug)]
pub(crate) enum Looked<T> {
    /// It was not asked for.
    NotAsked,
    /// This.
    Up(T),
    /// It could not be.
    InVain(AwsError),
}

impl<T> Looked<T> {
    /// What came of it.
    pub(crate) fn of(read: Result<T, AwsError>) -> Self {
        match read {
            Ok(found) => Self::Up(found),
            Err(error) => Self::InVain(error),
        }
    }
}

/// All that is explained.
#[derive(Debug)]
pub(crate) struct Explanation<'a> {
    /// The broken instances that nobody muted, and the changes that led there.
    pub(crate) report: &'a ReconcileReport,
    /// The same, as an alert would put it.
    pub(crate) notification: &'a Notification,
    /// Every instance, the healthy ones as well.
    pub(crate) instances: &'a [Affected],
    /// The broken instances that somebody muted, each with what mutes it.
    pub(crate) muted: &'a [(Affected, Blocker)],
    /// The regions that could not be read.
    pub(crate) unread: &'a [UnreadRegion],
    /// The regions that were asked for; `None`: all that are enabled.
    pub(crate) wanted: Option<&'a [Region]>,
    /// What SSM sees.
    pub(crate) pings: &'a Pings,
    /// When EC2 took credentials for them.
    pub(crate) credentials: &'a Credentials,
    /// Who changed the profile and its role.
    pub(crate) looked: &'a Looked<History>,
    /// Who attached the profile, where one instance is explained.
    pub(crate) associations: &'a Looked<AssociationHistory>,
    /// The other broken instances of the profile, where one instance is explained.
    pub(crate) broken_siblings: &'a [InstanceId],
    /// What each level would do about the broken instances, the muted ones last.
    pub(crate) previews: &'a [(Level, Preview)],
    /// The commands to print.
    pub(crate) paste: &'a Paste,
}

impl Explanation<'_> {
    /// The broken instances, the muted ones last.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Affected> {
        self.report.instances.iter().map(|one| &one.found).chain(self.muted.iter().map(|(one, _)| one))
    }

    /// Whether nothing is broken, as far as could be seen.
    pub(crate) fn is_well(&self) -> bool {
        self.broken().next().is_none()
    }
}

/// An instance by its name, where it has one, and its id.
pub(crate) fn name(one: &Affected) -> String {
    let id = code(&one.instance.id);
    let name = quoted(one.instance.name.as_deref().unwrap_or_default(), SHORT, "");
    if name.is_empty() { id } else { format!("{name} ({id})") }
}

/// Where IAM's commands and events go for this profile.
pub(crate) fn home(it: &Explanation) -> Home {
    Home::of(&it.report.partition, it.instances.first().map(|one| &one.region))
}
