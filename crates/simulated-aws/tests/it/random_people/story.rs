//! What people do to an account, what goes wrong meanwhile, and how the account is: drawn by chance.
//!
//! Invariant: a story reads as what people did, line by line, and the same story on the same account is the same run.

use std::fmt;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::model::{InstanceState, Trust};

use reprofile_simulated_aws::{Fault, Operation, Propagation};

pub const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// Path, profile, and the role in it.
pub const PROFILES: [(&str, &str, &str); 4] = [
    ("/", "web-role", "web-role"),
    ("/app/", "app-profile", "app-role"),
    ("/", "other-profile", "app-role"),
    ("/karpenter/", "node", "node"),
];
const ROLES: [&str; 3] = ["web-role", "app-role", "node"];

/// An account, and what happens in it.
#[derive(Clone)]
pub struct Case {
    pub level: Level,
    /// Whether only the profiles that begin with `web` or `app` may be written.
    pub is_scoped: bool,
    pub instances: Vec<Given>,
    pub account: Account,
    pub story: Vec<Step>,
}

/// An instance that is there from the beginning.
#[derive(Debug, Clone)]
pub struct Given {
    pub region: &'static str,
    pub profile: &'static str,
    pub state: InstanceState,
    pub is_operated: bool,
}

/// How the account behaves.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whether a sweep has seen it before anything happens.
    pub is_swept: bool,
    pub trail_delay: Duration,
    pub trail_jitter: Duration,
    pub lose_one_in: Option<u64>,
    pub duplicate_one_in: Option<u64>,
    pub seed: u64,
    pub iam_reads_lag: Duration,
    pub propagation: Propagation,
    pub small_pages: bool,
    pub latency: Duration,
}

/// Something happens, and then some time passes.
#[derive(Debug, Clone)]
pub struct Step {
    pub what: What,
    pub then: Duration,
}

/// What happens. An instance is a number among those there are.
#[derive(Debug, Clone)]
pub enum What {
    ConsoleDeletesRole(&'static str),
    ConsoleCreatesRole(&'static str),
    Recreates {
        path: &'static str,
        profile: &'static str,
        role: &'static str,
    },
    TakesRoleOut(&'static str),
    PutsRoleIn {
        profile: &'static str,
        role: &'static str,
    },
    DeletesProfile(&'static str),
    CreatesProfile {
        path: &'static str,
        profile: &'static str,
    },
    DeletesRole(&'static str),
    CreatesRole(&'static str, Trust),
    /// Out of every profile, deleted, and created, and not put back.
    RecreatesRole(&'static str),
    Trusts(&'static str, Trust),
    Stops(usize),
    Starts(usize),
    Terminates(usize),
    Launches(&'static str, &'static str),
    Tags(usize, &'static str),
    Replaces(usize, &'static str),
    TakesOff(usize),
    PutsOn(usize, &'static str),
    AgentGoesOffline(usize),
    AgentComesBack(usize),
    Fails(Operation, Fault, usize),
    FailsFromNowOn(Operation, Fault),
    RegionFails(&'static str, Fault),
    AllIsMended,
    FunctionIsKilledAt(usize),
    /// In the moment before the next such call takes effect.
    JustBefore(Operation, Box<What>),
}

impl Case {
    /// Whether nothing fails and nobody acts between a look and its steps.
    pub fn is_calm(&self) -> bool {
        !self.story.iter().any(|step| step.what.is_trouble())
    }
}

impl What {
    fn is_trouble(&self) -> bool {
        use What::{Fails, FailsFromNowOn, FunctionIsKilledAt, JustBefore, RegionFails};
        matches!(self, Fails(..) | FailsFromNowOn(..) | RegionFails(..) | FunctionIsKilledAt(_) | JustBefore(..))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "level {:?}, scoped: {}, {:?}", self.level, self.is_scoped, self.account)?;
        for (number, given) in self.instances.iter().enumerate() {
            writeln!(f, "  instance {number}: {given:?}")?;
        }
        for Step { what, then } in &self.story {
            writeln!(f, "  {what:?}, then {then:?}")?;
        }
        Ok(())
    }
}

pub fn case(steps: usize) -> impl Strategy<Value = Case> {
    let level = prop_oneof![1 => Just(Level::Alert), 3 => Just(Level::Reassociate), 3 => Just(Level::Relink), 3 => Just(Level::Restore)];
    (level, prop::bool::weighted(0.2), vec(given(), 1..5), account(), vec(step(), 2..steps))
        .prop_map(|(level, is_scoped, instances, account, story)| Case { level, is_scoped, instances, account, story })
}

/// The same without what goes wrong.
pub fn calm_case(steps: usize) -> impl Strategy<Value = Case> {
    case(steps).prop_map(|mut case| {
        case.story.retain(|step| !step.what.is_trouble());
        case
    })
}

fn profile() -> impl Strategy<Value = &'static str> {
    select(vec!["web-role", "web-role", "app-profile", "app-profile", "other-profile", "node"])
}

fn given() -> impl Strategy<Value = Given> {
    let state = select(vec![InstanceState::Running, InstanceState::Stopped]);
    (select(&REGIONS[..]), profile(), state, prop::bool::weighted(0.05))
        .prop_map(|(region, profile, state, is_operated)| Given { region, profile, state, is_operated })
}

fn seconds(of: &[u64]) -> impl Strategy<Value = Duration> + use<> {
    select(of.to_vec()).prop_map(Duration::from_secs)
}

fn account() -> impl Strategy<Value = Account> {
    let propagation = select(vec![
        Propagation::Refused(Duration::from_secs(10)),
        Propagation::Refused(Duration::from_secs(90)),
        Propagation::OldIdTaken(Duration::from_secs(20)),
    ]);
    let events = (seconds(&[5, 5, 60, 400]), seconds(&[0, 0, 90]), select(vec![None, None, Some(4)]));
    let rest = (seconds(&[0, 0, 0, 20]), propagation, any::<bool>(), select(vec![20, 20, 900]));
    (prop::bool::weighted(0.7), events, select(vec![None, Some(10)]), any::<u64>(), rest).prop_map(
        |(is_swept, (trail_delay, trail_jitter, lose_one_in), duplicate_one_in, seed, rest)| {
            let (iam_reads_lag, propagation, small_pages, latency) = rest;
            let latency = Duration::from_millis(latency);
            Account {
                is_swept,
                trail_delay,
                trail_jitter,
                lose_one_in,
                duplicate_one_in,
                seed,
                iam_reads_lag,
                propagation,
                small_pages,
                latency,
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![
        3 => Just(Duration::ZERO),
        6 => (1..60_u64).prop_map(Duration::from_secs),
        6 => (1..15_u64).prop_map(Duration::from_mins),
        2 => (1..4_u64).prop_map(Duration::from_hours),
        1 => (20..40_u64).prop_map(Duration::from_hours),
    ];
    (what(), pause).prop_map(|(what, then)| Step { what, then })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![10 => in_iam(), 4 => in_ec2(), 4 => trouble(), 3 => race()]
}

fn in_iam() -> impl Strategy<Value = What> {
    let role = || select(&ROLES[..]);
    // A role belongs to its profiles more often than not.
    let pair = || {
        prop_oneof![
            5 => select(&PROFILES[..]).prop_map(|(_, profile, role)| (profile, role)),
            1 => (profile(), role()),
        ]
    };
    let path = || select(vec!["/", "/", "/app/", "/karpenter/"]);
    let trust = || select(vec![Trust::Yes, Trust::Yes, Trust::No, Trust::Unsure]);
    let spelt = || prop_oneof![9 => profile(), 1 => Just("WEB-ROLE")];
    prop_oneof![
        3 => role().prop_map(What::ConsoleDeletesRole),
        3 => role().prop_map(What::ConsoleCreatesRole),
        8 => (path(), pair()).prop_map(|(path, (profile, role))| What::Recreates { path, profile, role }),
        4 => role().prop_map(What::RecreatesRole),
        3 => profile().prop_map(What::TakesRoleOut),
        3 => pair().prop_map(|(profile, role)| What::PutsRoleIn { profile, role }),
        4 => profile().prop_map(What::DeletesProfile),
        2 => (path(), spelt()).prop_map(|(path, profile)| What::CreatesProfile { path, profile }),
        2 => role().prop_map(What::DeletesRole),
        2 => (role(), trust()).prop_map(|(role, trust)| What::CreatesRole(role, trust)),
        2 => (role(), trust()).prop_map(|(role, trust)| What::Trusts(role, trust)),
    ]
}

fn in_ec2() -> impl Strategy<Value = What> {
    let instance = || 0..8_usize;
    prop_oneof![
        3 => instance().prop_map(What::Stops),
        3 => instance().prop_map(What::Starts),
        2 => instance().prop_map(What::Terminates),
        2 => (select(&REGIONS[..]), profile()).prop_map(|(region, profile)| What::Launches(region, profile)),
        2 => (instance(), select(vec!["ignore", "alert"])).prop_map(|(instance, value)| What::Tags(instance, value)),
        2 => (instance(), profile()).prop_map(|(instance, profile)| What::Replaces(instance, profile)),
        1 => instance().prop_map(What::TakesOff),
        2 => (instance(), profile()).prop_map(|(instance, profile)| What::PutsOn(instance, profile)),
        3 => instance().prop_map(What::AgentGoesOffline),
        2 => instance().prop_map(What::AgentComesBack),
    ]
}

/// Somebody acts between a look and what follows from it. The console takes its time, and is in no race.
fn race() -> impl Strategy<Value = What> {
    let takes_time = |what: &What| matches!(what, What::ConsoleDeletesRole(_) | What::ConsoleCreatesRole(_));
    let what = prop_oneof![in_iam(), in_ec2()].prop_filter("takes time", move |what| !takes_time(what));
    let write = select(vec![
        Operation::ReplaceIamInstanceProfileAssociation,
        Operation::DisassociateIamInstanceProfile,
        Operation::AssociateIamInstanceProfile,
        Operation::AssociateIamInstanceProfile,
        Operation::AddRoleToInstanceProfile,
        Operation::CreateInstanceProfile,
        Operation::PutItem,
        Operation::Publish,
    ]);
    (write, what).prop_map(|(write, what)| What::JustBefore(write, Box::new(what)))
}

fn trouble() -> impl Strategy<Value = What> {
    use Operation::{
        AddRoleToInstanceProfile, AssociateIamInstanceProfile, CreateInstanceProfile,
        DescribeIamInstanceProfileAssociations, DescribeInstanceInformation, DescribeInstances, DescribeRegions,
        DisassociateIamInstanceProfile, GetInstanceProfile, GetItem, GetRole, ListInstanceProfiles,
        ListInstanceProfilesForRole, Publish, PutItem, Query, ReplaceIamInstanceProfileAssociation, SendMessage,
    };
    let operation = || {
        select(vec![
            GetInstanceProfile,
            ListInstanceProfiles,
            ListInstanceProfilesForRole,
            GetRole,
            CreateInstanceProfile,
            AddRoleToInstanceProfile,
            DescribeRegions,
            DescribeInstances,
            DescribeInstanceInformation,
            DescribeIamInstanceProfileAssociations,
            ReplaceIamInstanceProfileAssociation,
            AssociateIamInstanceProfile,
            DisassociateIamInstanceProfile,
            Publish,
            GetItem,
            PutItem,
            Query,
            SendMessage,
        ])
    };
    let fault = || {
        select(vec![
            Fault::UNAVAILABLE,
            Fault::THROTTLED,
            Fault::DENIED,
            Fault::NoAnswer(Duration::from_secs(10)),
            Fault::AnswerLost(Duration::from_secs(10)),
            Fault::Slow(Duration::from_secs(30)),
            Fault::SentTwice(Duration::from_secs(5)),
            Fault::Hangs,
        ])
    };
    prop_oneof![
        6 => (operation(), fault(), 1..4_usize).prop_map(|(operation, fault, n)| What::Fails(operation, fault, n)),
        2 => (operation(), fault()).prop_map(|(operation, fault)| What::FailsFromNowOn(operation, fault)),
        1 => (select(&REGIONS[..]), fault()).prop_map(|(region, fault)| What::RegionFails(region, fault)),
        2 => Just(What::AllIsMended),
        6 => (0..60_usize).prop_map(What::FunctionIsKilledAt),
    ]
}
