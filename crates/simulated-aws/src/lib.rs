//! A model of one AWS account behind the ports, in memory, strict, and in virtual time.
//!
//! Invariant: the model answers as AWS documents it, with AWS's codes. Where AWS leaves something open (the order of
//! rows, an empty page, a delay), it may choose the harder behaviour for a caller. Everything runs in tokio's time, so
//! a test under `start_paused` sees two minutes pass in microseconds.
//!
//! | file | its part |
//! |---|---|
//! | `scenario` | the state before a test: roles, profiles and instances that have long existed |
//! | `iam_state`, `people_in_iam`, `iam_port` | IAM: its rules, the calls of people, the calls of Reprofile |
//! | `cloudtrail` | the events of people's calls to IAM, as EventBridge delivers them |
//! | `instances`, `associations`, `people_in_ec2`, `ec2_port` | EC2: the same, in every region |
//! | `propagation` | how late a region of EC2 learns of changes in IAM |
//! | `topic`, `table`, `queue` | SNS, DynamoDB, SQS |
//! | `ssm`, `lookup_events` | the agents of Systems Manager, CloudTrail's event history |
//! | `calls`, `buckets`, `faults`, `pages`, `kills` | shared by all calls: records, rate limits, faults, pages, kills |
//! | `deeds` | the changes that Reprofile made |
//! | `deployment`, `function` | Reprofile deployed: rule, queue, schedule and function, in virtual time |
//!
//! To add a service, add a file. Its state belongs in `World`, and its calls are `Operation`s that go through
//! `AwsModel::call`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot continue panics")]
#![expect(
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "it refuses as AWS does, and panics in a wrong test"
)]
#![expect(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::new_without_default,
    reason = "tests use the results that they need"
)]

mod associations;
mod buckets;
mod calls;
mod clock;
mod cloudtrail;
mod deeds;
mod deployment;
mod ec2_port;
mod faults;
pub mod frozen;
mod function;
mod iam_port;
mod iam_state;
mod ids;
mod instances;
mod kills;
mod lookup_events;
mod pages;
mod people_in_ec2;
mod people_in_iam;
mod propagation;
mod queue;
mod scenario;
mod settings;
mod ssm;
mod table;
mod topic;

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::{AccountId, Partition, ProfileArn, ProfileName, Region};
use reprofile_core::ports::Account;

pub use calls::{Call, Operation};
pub use clock::{EPOCH, LONG_AGO};
pub use cloudtrail::Caller;
pub use deeds::{Deed, Effect};
pub use deployment::{Deployment, Pace};
pub use faults::Fault;
pub use function::{Ending, Invocation};
pub use kills::Killed;
pub use propagation::Propagation;
pub use settings::Settings;
pub use topic::Published;

/// A handle on the model of one account. Clones share the account.
///
/// Create it inside the runtime whose time it shall use.
#[derive(Clone)]
pub struct AwsModel {
    world: Rc<World>,
    who: Who,
    has_topic: bool,
    has_table: bool,
    has_queue: bool,
}

/// The caller of the calls that people make through a handle.
#[derive(Clone)]
enum Who {
    /// This caller, now. CloudTrail records the calls.
    Caller(Caller),
    /// Nobody: the calls were made a month ago, and leave no events.
    LongAgo,
}

/// The state of the account, with a cell for each service.
struct World {
    account: AccountId,
    partition: Partition,
    home: Region,
    regions: Vec<Region>,
    clock: clock::VirtualClock,
    ids: ids::Ids,
    settings: RefCell<Settings>,
    iam: RefCell<iam_state::History>,
    events: RefCell<cloudtrail::Trail>,
    instances: RefCell<instances::Instances>,
    associations: RefCell<associations::Associations>,
    topic: RefCell<topic::Messages>,
    calls: RefCell<calls::Log>,
    deeds: RefCell<Vec<Deed>>,
    buckets: RefCell<buckets::Buckets>,
    faults: RefCell<faults::Faults>,
    pages: RefCell<pages::Pages>,
    table: RefCell<table::Items>,
    queue: RefCell<queue::Messages>,
    agents: RefCell<ssm::Agents>,
    /// CloudTrail's event history, oldest first.
    recorded: RefCell<Vec<lookup_events::Recorded>>,
    kills: kills::Kills,
    /// Wakes a deployment, because the trail has an event or the queue has a message.
    changed: tokio::sync::Notify,
}

impl AwsModel {
    /// Account 111122223333, with us-east-1, eu-west-1 and ap-southeast-2 enabled.
    pub fn new() -> Self {
        Self::with_regions(&["us-east-1", "eu-west-1", "ap-southeast-2"])
    }

    /// The same account with these regions enabled. Global calls go to the first one.
    pub fn with_regions(regions: &[&str]) -> Self {
        Self::of("111122223333", "aws", regions)
    }

    /// Any account of any partition.
    pub fn of(account: &str, partition: &str, regions: &[&str]) -> Self {
        let regions: Vec<Region> = regions.iter().map(|name| Region::new(name).unwrap()).collect();
        let world = World {
            account: AccountId::new(account).unwrap(),
            partition: Partition::new(partition).unwrap(),
            home: regions[0].clone(),
            regions,
            clock: clock::VirtualClock::start(),
            ids: ids::Ids::default(),
            settings: RefCell::default(),
            iam: RefCell::default(),
            events: RefCell::default(),
            instances: RefCell::default(),
            associations: RefCell::default(),
            topic: RefCell::default(),
            calls: RefCell::default(),
            deeds: RefCell::default(),
            buckets: RefCell::default(),
            faults: RefCell::default(),
            pages: RefCell::default(),
            table: RefCell::default(),
            queue: RefCell::default(),
            agents: RefCell::default(),
            recorded: RefCell::default(),
            kills: kills::Kills::default(),
            changed: tokio::sync::Notify::new(),
        };
        let who = Who::Caller(Caller::console("alice"));
        Self { world: Rc::new(world), who, has_topic: true, has_table: true, has_queue: true }
    }

    /// A handle with another caller: `aws.by(Caller::terraform()).delete_role("web-role")`.
    pub fn by(&self, caller: Caller) -> Self {
        Self { who: Who::Caller(caller), ..self.clone() }
    }

    /// A handle whose calls were made a month ago. They are known everywhere and leave no events. They rewrite IAM's
    /// history before now, so make them before any call whose effect lags.
    pub fn long_ago(&self) -> Self {
        Self { who: Who::LongAgo, ..self.clone() }
    }

    /// A handle for a Reprofile without a topic.
    pub fn without_topic(&self) -> Self {
        Self { has_topic: false, ..self.clone() }
    }

    /// A handle for a Reprofile without a table.
    pub fn without_table(&self) -> Self {
        Self { has_table: false, ..self.clone() }
    }

    /// A handle for a Reprofile without a queue for rechecks.
    pub fn without_queue(&self) -> Self {
        Self { has_queue: false, ..self.clone() }
    }

    pub fn account(&self) -> AccountId {
        self.world.account.clone()
    }

    /// Changes how the account behaves: `aws.set(|s| s.ec2_page = 2)`.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.world.settings.borrow_mut());
    }

    fn settings(&self) -> Ref<'_, Settings> {
        self.world.settings.borrow()
    }

    fn arn(&self, path: &reprofile_core::domain::names::Path, name: &ProfileName) -> ProfileArn {
        ProfileArn::new(self.world.partition.clone(), self.world.account.clone(), path.clone(), name.clone())
    }
}

impl Account for AwsModel {
    type Iam = Self;
    type Ec2 = Self;
    type Topic = Self;
    type Table = Self;
    type Queue = Self;
    type Ssm = Self;
    type Trail = Self;
    type Clock = Self;

    fn iam(&self) -> &Self {
        self
    }

    fn ec2(&self) -> &Self {
        self
    }

    fn topic(&self) -> Option<&Self> {
        self.has_topic.then_some(self)
    }

    fn table(&self) -> Option<&Self> {
        self.has_table.then_some(self)
    }

    fn queue(&self) -> Option<&Self> {
        self.has_queue.then_some(self)
    }

    fn ssm(&self) -> &Self {
        self
    }

    fn trail(&self) -> &Self {
        self
    }

    fn clock(&self) -> &Self {
        self
    }
}

/// A refusal of the service, as the port returns it.
fn refused<T>(operation: Operation, code: &str, message: &str) -> Result<T, AwsError> {
    Err(AwsError::new(operation.as_str(), code, message))
}
