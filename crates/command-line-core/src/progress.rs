//! An `Account` decorator that counts what is read, and reports it on the terminal.
//!
//! Invariant: every call and every answer passes unchanged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::console::{Console, TermStyle};
use reprofile_core::alert::plain::count;
use reprofile_core::config::{Config, Regions};
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Association, Instance, PolicyNames, Profile, Role};
use reprofile_core::domain::names::{AssociationId, InstanceId, Path, ProfileArn, ProfileName, Region, RoleName};
use reprofile_core::ports::{Account, Ec2, Holder, Iam, Page};

/// What has been read so far, and the line on stderr that says so where that is a terminal.
#[derive(Debug, Default)]
pub struct Progress {
    shown: Option<Console>,
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How many regions will be read, once that is known.
    regions: Option<usize>,
    under_way: BTreeSet<Region>,
    read: BTreeSet<Region>,
    /// How many instances hold a profile of each name.
    holders: BTreeMap<ProfileName, usize>,
}

impl Progress {
    /// Reports on the console, where it is a terminal. `regions`: how many will be read, where that is known.
    #[must_use]
    pub fn on(console: &Console, regions: Option<usize>) -> Self {
        let watch = Self { shown: console.is_watched.then_some(*console), seen: RefCell::default() };
        watch.seen.borrow_mut().regions = regions;
        watch
    }

    /// How many instances with an instance profile were seen in listings of whole regions.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.seen.borrow().holders.values().sum()
    }

    /// The regions that were read, and these that could not be.
    #[must_use]
    pub fn regions(&self, unread: &[UnreadRegion]) -> BTreeSet<Region> {
        let read = self.seen.borrow().read.iter().cloned().collect::<BTreeSet<_>>();
        read.into_iter().chain(unread.iter().map(|one| one.region.clone())).collect()
    }

    /// How many instances were seen to hold one of these profiles.
    #[must_use]
    pub fn holders<'a>(&self, names: impl Iterator<Item = &'a ProfileName>) -> usize {
        let seen = self.seen.borrow();
        names.filter_map(|name| seen.holders.get(name)).sum()
    }

    /// Draws the line anew.
    fn draw(&self) {
        let Some(console) = self.shown else { return };
        let line = self.seen.borrow().line();
        let width = usize::from(console.stderr.width.unwrap_or(100)).saturating_sub(1);
        let line: String = line.chars().take(width).collect();
        let mut stderr = io::stderr().lock();
        let _ =
            write!(stderr, "\r\u{1b}[K{}", console.stderr.paint(TermStyle::Dim, &line)).and_then(|()| stderr.flush());
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if self.shown.is_some() {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\u{1b}[K").and_then(|()| stderr.flush());
        }
    }
}

impl Seen {
    fn line(&self) -> String {
        if self.under_way.is_empty() && self.read.is_empty() {
            return "Reading the instance profiles ...".to_owned();
        }
        let of = self.regions.map(|all| format!(" of {all}")).unwrap_or_default();
        let under_way: Vec<&str> = self.under_way.iter().map(Region::as_str).collect();
        let now = if under_way.is_empty() { String::new() } else { format!("; reading {}", under_way.join(" ")) };
        let instances = count(self.holders.values().sum(), "instance", "instances");
        format!("{}{of} regions read, {instances} with a profile{now}", self.read.len())
    }
}

/// Shows what is read while it is.
#[must_use]
pub fn watch(console: &Console, config: &Config) -> Progress {
    let regions = match &config.regions {
        Regions::All => None,
        Regions::Only(regions) => Some(regions.len()),
    };
    Progress::on(console, regions)
}

/// An account whose reads are reported.
#[derive(Debug)]
pub struct WithProgress<'a, A> {
    account: &'a A,
    watch: &'a Progress,
}

impl<'a, A> WithProgress<'a, A> {
    /// Reports what is read of this account.
    #[must_use]
    pub fn new(account: &'a A, watch: &'a Progress) -> Self {
        watch.draw();
        Self { account, watch }
    }
}

impl<A: Account> Account for WithProgress<'_, A> {
    type Iam = Self;
    type Ec2 = Self;
    type Topic = A::Topic;
    type Table = A::Table;
    type Queue = A::Queue;
    type Ssm = A::Ssm;
    type Trail = A::Trail;
    type Clock = A::Clock;

    fn iam(&self) -> &Self {
        self
    }

    fn ec2(&self) -> &Self {
        self
    }

    fn topic(&self) -> Option<&A::Topic> {
        self.account.topic()
    }

    fn table(&self) -> Option<&A::Table> {
        self.account.table()
    }

    fn queue(&self) -> Option<&A::Queue> {
        self.account.queue()
    }

    fn ssm(&self) -> &A::Ssm {
        self.account.ssm()
    }

    fn trail(&self) -> &A::Trail {
        self.account.trail()
    }

    fn clock(&self) -> &A::Clock {
        self.account.clock()
    }
}

impl<A: Account> Iam for WithProgress<'_, A> {
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError> {
        self.account.iam().instance_profile(name).await
    }

    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError> {
        self.account.iam().instance_profiles(marker).await
    }

    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<Profile>, AwsError> {
        self.account.iam().instance_profiles_for_role(role, marker).await
    }

    async fn role(&self, name: &RoleName) -> Result<Option<Role>, AwsError> {
        self.account.iam().role(name).await
    }

    async fn role_policies(&self, role: &RoleName) -> Result<Option<PolicyNames>, AwsError> {
        self.account.iam().role_policies(role).await
    }

    async fn create_instance_profile(
        &self,
        name: &ProfileName,
        path: &Path,
        tags: &BTreeMap<String, String>,
    ) -> Result<Profile, AwsError> {
        self.account.iam().create_instance_profile(name, path, tags).await
    }

    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError> {
        self.account.iam().add_role(profile, role).await
    }
}

impl<A: Account> Ec2 for WithProgress<'_, A> {
    async fn regions(&self) -> Result<Vec<Region>, AwsError> {
        let regions = self.account.ec2().regions().await?;
        self.watch.seen.borrow_mut().regions = Some(regions.len());
        Ok(regions)
    }

    async fn associations(
        &self,
        region: &Region,
        instances: Option<&[InstanceId]>,
        next: Option<&str>,
    ) -> Result<Page<Association>, AwsError> {
        if instances.is_some() {
            return self.account.ec2().associations(region, instances, next).await;
        }
        self.watch.seen.borrow_mut().under_way.insert(region.clone());
        self.watch.draw();
        let answer = self.account.ec2().associations(region, None, next).await;
        {
            let mut seen = self.watch.seen.borrow_mut();
            if let Ok(page) = &answer {
                for one in page.items.iter().filter(|one| one.is_held()) {
                    *seen.holders.entry(one.arn.name().clone()).or_default() += 1;
                }
            }
            if answer.as_ref().map_or(true, |page| page.next.is_none()) {
                seen.under_way.remove(region);
                seen.read.insert(region.clone());
            }
        }
        self.watch.draw();
        answer
    }

    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError> {
        self.account.ec2().instances(region, instances, next).await
    }

    async fn holders_among(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Holder>, AwsError> {
        self.account.ec2().holders_among(region, instances, next).await
    }

    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError> {
        self.account.ec2().holders(region, arns, next).await
    }

    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        self.account.ec2().replace_association(region, association, profile).await
    }

    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError> {
        self.account.ec2().disassociate(region, association).await
    }

    async fn associate(
        &self,
        region: &Region,
        instance: &InstanceId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        self.account.ec2().associate(region, instance, profile).await
    }
}
