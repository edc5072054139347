//! One setting for every test of a whole incident: what the account has, and Reprofile deployed in it.
//!
//! Invariant: a scenario runs in virtual time, with the queue and the limits of `template.yaml` but for what its `Given`
//! names. A test reads as given, when, then:
//!
//! ```text
//! let mut scenario = Given::role("web-role").running("eu-west-1", "a").level("relink").deployed();   // given
//! scenario.console_deletes_role("web-role").await;                                                   // when
//! assert_eq!(scenario.told(), ["BROKEN 1"]);                                                         // then
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reprofile_core::domain::model::InstanceState;
use reprofile_core::domain::names::InstanceId;
use reprofile_core::ports::Message;
use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Invocation, Pace, Settings};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const HOUR: Duration = Duration::from_hours(1);

/// The instances of an account, by their names: id, and the name of the profile that each was given.
type Named = BTreeMap<String, (InstanceId, String)>;
type Variables = BTreeMap<&'static str, String>;

/// An account, and the variables of a function that is not deployed yet.
pub struct Given {
    pub aws: AwsModel,
    /// The profile that further instances hold.
    profile: String,
    named: Named,
    variables: Variables,
}

impl Given {
    /// An account with nothing in it; by default Reprofile has a table and a queue there.
    pub fn account() -> Self {
        Self::in_account(AwsModel::new())
    }

    /// An account that was made before.
    pub fn in_account(aws: AwsModel) -> Self {
        let variables = Variables::from([
            ("REPROFILE_TABLE", "reprofile".to_owned()),
            ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile".to_owned()),
        ]);
        Self { aws, profile: String::new(), named: Named::new(), variables }
    }

    /// An account with a role, in a profile of its name.
    pub fn role(name: &str) -> Self {
        Self::account().and_role(name)
    }

    /// An account with a role in a profile of another name or path.
    pub fn profile(path: &str, profile: &str, role: &str) -> Self {
        Self::account().and_profile(path, profile, role)
    }

    /// One more role, in a profile of its name; the instances that follow hold that profile.
    pub fn and_role(self, name: &str) -> Self {
        self.and_profile("/", name, name)
    }

    /// One more profile, and its role if there is none yet; the instances that follow hold that profile.
    pub fn and_profile(self, path: &str, profile: &str, role: &str) -> Self {
        self.aws.profile_with_role(path, profile, role);
        Self { profile: profile.to_owned(), ..self }
    }

    /// A running instance on the profile.
    pub fn running(self, region: &str, name: &str) -> Self {
        self.in_state(InstanceState::Running, region, name)
    }

    /// A stopped instance on the profile.
    pub fn stopped(self, region: &str, name: &str) -> Self {
        self.in_state(InstanceState::Stopped, region, name)
    }

    /// An instance on the profile, in any state.
    pub fn in_state(self, state: InstanceState, region: &str, name: &str) -> Self {
        let id = self.aws.in_state(state, region, &self.profile, name);
        self.with(name, id)
    }

    /// A running instance on the profile, which only its operator can change.
    pub fn operator_managed(self, region: &str, name: &str) -> Self {
        let id = self.aws.operator_managed(region, &self.profile, name);
        self.with(name, id)
    }

    /// So many running instances on the profile: `NAME-1` and so on.
    pub fn running_many(self, n: usize, region: &str, name: &str) -> Self {
        (1..=n).fold(self, |given, i| given.running(region, &format!("{name}-{i}")))
    }

    /// An instance that was made on the account itself.
    pub fn with(mut self, name: &str, id: InstanceId) -> Self {
        let before = self.named.insert(name.to_owned(), (id, self.profile.clone()));
        assert!(before.is_none(), "two instances are called {name}");
        self
    }

    /// An instance by its name.
    pub fn id(&self, name: &str) -> InstanceId {
        self.named[name].0.clone()
    }

    /// Another behaviour of the account.
    pub fn settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.aws.set(change);
        self
    }

    /// `REPROFILE_LEVEL`.
    pub fn level(self, level: &str) -> Self {
        self.variable("REPROFILE_LEVEL", level)
    }

    /// `REPROFILE_SETTLE_SECONDS`.
    pub fn settle(self, seconds: u32) -> Self {
        self.variable("REPROFILE_SETTLE_SECONDS", &seconds.to_string())
    }

    /// Any variable of the function.
    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    /// Reprofile has no table.
    pub fn without_table(mut self) -> Self {
        self.variables.remove("REPROFILE_TABLE");
        Self { aws: self.aws.without_table(), ..self }
    }

    /// Reprofile has no queue of its own to send rechecks to.
    pub fn without_queue(mut self) -> Self {
        self.variables.remove("REPROFILE_QUEUE_URL");
        Self { aws: self.aws.without_queue(), ..self }
    }

    /// Reprofile has neither: each invocation works alone.
    pub fn without_memory(self) -> Self {
        self.without_table().without_queue()
    }

    /// Reprofile has no topic.
    pub fn without_topic(self) -> Self {
        Self { aws: self.aws.without_topic(), ..self }
    }

    /// Deploys Reprofile, which has seen nothing yet.
    pub fn deployed(self) -> Scenario {
        self.deployed_as(|lambda| lambda)
    }

    /// The same, with a time limit of the function.
    pub fn deployed_for(self, seconds: u64) -> Scenario {
        self.deployed_as(|lambda| lambda.timeout(seconds))
    }

    fn deployed_as(self, change: impl FnOnce(Lambda) -> Lambda) -> Scenario {
        let variables: Vec<(&str, &str)> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let lambda = Rc::new(change(Lambda::in_account(&self.aws, &variables)));
        let function = Rc::clone(&lambda);
        let deployment = Deployment::new(&self.aws, move |payload: Value| {
            let lambda = Rc::clone(&function);
            async move { lambda.invoke(&payload).await }
        });
        Scenario { aws: self.aws, lambda, deployment, named: self.named, variables: self.variables }
    }

    /// Deploys Reprofile, and sweeps the account once. The calls of that sweep are forgotten.
    pub async fn swept(self) -> Scenario {
        let scenario = self.deployed();
        scenario.sweep().await;
        scenario.aws.forget_calls();
        scenario
    }
}

/// An account with Reprofile deployed in it.
pub struct Scenario {
    pub aws: AwsModel,
    pub lambda: Rc<Lambda>,
    deployment: Deployment<'static>,
    named: Named,
    variables: Variables,
}

/// When: time passes, people act, the function is invoked.
impl Scenario {
    /// Another pace of the trail, the queue and the function.
    pub fn at(self, change: impl FnOnce(&mut Pace)) -> Self {
        Self { deployment: self.deployment.at(change), ..self }
    }

    /// The schedule invokes the function from now on, first after that time.
    pub fn sweeping(mut self, every: Duration) -> Self {
        self.deployment.schedule(every);
        self
    }

    /// Another process of the same function: what it kept in memory is gone, and the table is as it was.
    pub fn started_afresh(self) -> Self {
        Given { aws: self.aws, profile: String::new(), named: self.named, variables: self.variables }.deployed()
    }

    pub async fn run_for(&mut self, time: Duration) {
        self.deployment.run_for(time).await;
    }

    pub async fn run_until_quiet(&mut self, at_most: Duration) -> bool {
        self.deployment.run_until_quiet(at_most).await
    }

    pub async fn run_during<T>(&mut self, happening: impl Future<Output = T>) -> T {
        self.deployment.run_during(happening).await
    }

    /// Alice deletes the role in the console, which deletes the profile of its name as well.
    pub async fn console_deletes_role(&mut self, role: &str) {
        self.deployment.run_during(self.aws.console_delete_role(role)).await.unwrap();
    }

    /// Alice creates the role in the console, which creates a profile of its name as well.
    pub async fn console_creates_role(&mut self, role: &str) {
        self.deployment.run_during(self.aws.console_create_role(role)).await.unwrap();
    }

    /// Alice takes the role out of the profile, and deletes the profile.
    pub fn delete_profile(&self, profile: &str, role: &str) {
        self.aws.remove_role_from_instance_profile(profile, role).unwrap();
        self.aws.delete_instance_profile(profile).unwrap();
    }

    /// Alice creates a profile, and puts the role in.
    pub fn create_profile(&self, path: &str, profile: &str, role: &str) {
        self.aws.create_instance_profile_with(path, profile, &[]).unwrap();
        self.aws.add_role_to_instance_profile(profile, role).unwrap();
    }

    /// Alice takes the role out of the profile, and deletes the role.
    pub fn delete_role(&self, profile: &str, role: &str) {
        self.aws.remove_role_from_instance_profile(profile, role).unwrap();
        self.aws.delete_role(role).unwrap();
    }

    /// Alice launches an instance on the profile.
    pub fn launch(&mut self, region: &str, profile: &str, name: &str) {
        let id = self.aws.run_instance(region, profile, name).unwrap();
        self.named.insert(name.to_owned(), (id, profile.to_owned()));
    }

    /// A sweep, now; its report.
    pub async fn sweep(&self) -> Value {
        Box::pin(self.lambda.invoke(&schedule())).await.unwrap()
    }

    /// The schedule invokes the function now; its invocation is run beside all others.
    pub fn begin_sweep(&mut self) {
        self.deployment.invoke(schedule());
    }

    /// What happened in IAM since the last time, as one batch; the ids of the messages that failed.
    pub async fn deliver(&self) -> Vec<String> {
        Box::pin(self.lambda.deliver(self.aws.take_events())).await
    }
}

/// Then: what instances hold, what was reported, how the function ran.
impl Scenario {
    /// An instance by its name.
    pub fn instance(&self, name: &str) -> InstanceId {
        self.named.get(name).unwrap_or_else(|| panic!("there is no instance {name}")).0.clone()
    }

    /// Every instance that was given.
    pub fn instances(&self) -> Vec<InstanceId> {
        self.named.values().map(|(id, _)| id.clone()).collect()
    }

    /// Whether the instance holds the profile that IAM has now under the name of the one that it was given.
    pub fn is_re_associated(&self, name: &str) -> bool {
        let (id, profile) = &self.named[name];
        let held = self.aws.held(id);
        held.is_some() && held == self.aws.live(profile)
    }

    /// The same of every instance that was given.
    pub fn all_are_re_associated(&self) -> bool {
        assert!(!self.named.is_empty());
        self.named.keys().all(|name| self.is_re_associated(name))
    }

    /// Whether the instance gets credentials.
    pub fn is_whole(&self, name: &str) -> bool {
        self.aws.is_whole(&self.instance(name))
    }

    /// What was published, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.aws.published().into_iter().map(|one| one.message).collect()
    }

    pub fn last_message(&self) -> Message {
        self.messages().pop().expect("something was published")
    }

    pub fn subjects(&self) -> Vec<String> {
        self.messages().into_iter().map(|one| one.subject).collect()
    }

    pub fn last_subject(&self) -> String {
        self.last_message().subject
    }

    /// The body of each message on one line, whatever lines it was wrapped to.
    pub fn bodies(&self) -> Vec<String> {
        self.messages().iter().map(|one| one.body.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    pub fn last_body(&self) -> String {
        self.bodies().pop().expect("something was published")
    }

    /// Attributes of each message: `attributes(["status", "case"])` has `BROKEN stale`.
    pub fn attributes<const N: usize>(&self, names: [&str; N]) -> Vec<String> {
        let of = |one: &Message| names.map(|name| attribute(one, name).to_owned()).join(" ");
        self.messages().iter().map(of).collect()
    }

    pub fn statuses(&self) -> Vec<String> {
        self.attributes(["status"])
    }

    /// Status and revision of each message.
    pub fn told(&self) -> Vec<String> {
        self.attributes(["status", "revision"])
    }

    pub fn invocations(&self) -> &[Invocation] {
        self.deployment.invocations()
    }

    pub fn was_killed(&self) -> bool {
        self.deployment.was_killed()
    }

    /// Whether a message, or an event of the schedule, was given up.
    pub fn lost_nothing(&self) -> bool {
        self.aws.dead_letters().is_empty() && self.deployment.undelivered().is_empty()
    }
}

/// An attribute of a message, or nothing.
pub fn attribute<'a>(message: &'a Message, wanted: &str) -> &'a str {
    message.attributes.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
}
