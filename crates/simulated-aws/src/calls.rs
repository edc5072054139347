//! The common part of every call: it is recorded, takes time, may fail, and takes effect at one moment.
//!
//! Invariant: every port method answers through [`AwsModel::call`], so `calls()` lists all requests to AWS. A call that
//! is dropped (by a time limit or a kill) may have taken effect, depending on the moment. It stays in the record
//! without an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::Clock;
use tokio::time::sleep;

use super::AwsModel;
use super::faults::Fault;

macro_rules! operations {
    ($($name:ident $text:literal $kind:ident),* $(,)?) => {
        /// Every call that the model knows, by AWS's name, including the calls of people, whose errors name them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation {
            $(#[doc = $text] $name,)*
        }

        impl Operation {
            /// The name as policies spell it, such as `ec2:DescribeInstances`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind of the call, which decides its token bucket.
            pub(super) fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }
        }
    };
}

/// The kind of a call, which decides its token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    IamRead,
    IamWrite,
    Describe,
    /// Writes EC2, from the bucket of all mutating calls without their own.
    Mutate,
    /// Writes EC2, from the larger bucket that Associate and Disassociate have.
    Attach,
    Publish,
    /// Reads or writes the table.
    Table,
    /// Sends a message to the queue.
    Send,
    /// Asks Systems Manager.
    Ssm,
    /// Asks CloudTrail.
    Trail,
}

operations! {
    CreateRole "iam:CreateRole" IamWrite,
    DeleteRole "iam:DeleteRole" IamWrite,
    UpdateAssumeRolePolicy "iam:UpdateAssumeRolePolicy" IamWrite,
    CreateInstanceProfile "iam:CreateInstanceProfile" IamWrite,
    DeleteInstanceProfile "iam:DeleteInstanceProfile" IamWrite,
    AddRoleToInstanceProfile "iam:AddRoleToInstanceProfile" IamWrite,
    RemoveRoleFromInstanceProfile "iam:RemoveRoleFromInstanceProfile" IamWrite,
    GetInstanceProfile "iam:GetInstanceProfile" IamRead,
    ListInstanceProfiles "iam:ListInstanceProfiles" IamRead,
    ListInstanceProfilesForRole "iam:ListInstanceProfilesForRole" IamRead,
    GetRole "iam:GetRole" IamRead,
    ListAttachedRolePolicies "iam:ListAttachedRolePolicies" IamRead,
    ListRolePolicies "iam:ListRolePolicies" IamRead,
    AttachRolePolicy "iam:AttachRolePolicy" IamWrite,
    DetachRolePolicy "iam:DetachRolePolicy" IamWrite,
    PutRolePolicy "iam:PutRolePolicy" IamWrite,
    DescribeRegions "ec2:DescribeRegions" Describe,
    DescribeInstances "ec2:DescribeInstances" Describe,
    DescribeIamInstanceProfileAssociations "ec2:DescribeIamInstanceProfileAssociations" Describe,
    ReplaceIamInstanceProfileAssociation "ec2:ReplaceIamInstanceProfileAssociation" Mutate,
    AssociateIamInstanceProfile "ec2:AssociateIamInstanceProfile" Attach,
    DisassociateIamInstanceProfile "ec2:DisassociateIamInstanceProfile" Attach,
    RunInstances "ec2:RunInstances" Mutate,
    StartInstances "ec2:StartInstances" Mutate,
    StopInstances "ec2:StopInstances" Mutate,
    TerminateInstances "ec2:TerminateInstances" Mutate,
    Publish "sns:Publish" Publish,
    GetTopicAttributes "sns:GetTopicAttributes" Publish,
    GetItem "dynamodb:GetItem" Table,
    PutItem "dynamodb:PutItem" Table,
    Query "dynamodb:Query" Table,
    SendMessage "sqs:SendMessage" Send,
    DescribeInstanceInformation "ssm:DescribeInstanceInformation" Ssm,
    LookupEvents "cloudtrail:LookupEvents" Trail,
}

/// A call that came through a port.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, by AWS's name.
    pub operation: Operation,
    /// The region of a call to EC2; `None` for every other service.
    pub region: Option<Region>,
    /// The id or name that the call names; empty for a list of everything.
    pub subject: String,
    /// The time at which it was sent.
    pub at: Timestamp,
    /// The time of the answer, and its error code. `None` for a call that is under way or was dropped.
    pub answered: Option<(Timestamp, Option<String>)>,
}

/// The record of all calls.
#[derive(Default)]
pub(super) struct Log {
    calls: Vec<Call>,
    in_flight: BTreeMap<Option<Region>, usize>,
    peak: BTreeMap<Option<Region>, usize>,
    throttled: usize,
    hooks: Vec<(Operation, Hook)>,
}

type Hook = Box<dyn FnOnce(&AwsModel)>;

/// A call that is under way until this value is dropped.
struct InFlight<'a>(&'a AwsModel, Option<Region>);

impl<'a> InFlight<'a> {
    fn begin(aws: &'a AwsModel, region: Option<Region>) -> Self {
        let log = &mut *aws.world.calls.borrow_mut();
        let now = log.in_flight.entry(region.clone()).or_default();
        *now += 1;
        let peak = log.peak.entry(region.clone()).or_default();
        *peak = (*peak).max(*now);
        Self(aws, region)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        *self.0.world.calls.borrow_mut().in_flight.get_mut(&self.1).unwrap() -= 1;
    }
}

impl AwsModel {
    /// Makes a call: half the latency, the effect or the fault, the other half, the answer. The caller may be killed
    /// right before the effect and right after it.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        region: Option<&Region>,
        subject: String,
        effect: impl Fn() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let half = self.settings().latency / 2;
        let index = {
            let log = &mut *self.world.calls.borrow_mut();
            log.calls.push(Call { operation, region: region.cloned(), subject, at: self.now(), answered: None });
            log.calls.len() - 1
        };
        let in_flight = InFlight::begin(self, region.cloned());
        sleep(half).await;
        self.kill_point().await;
        self.run_hooks(operation);
        let answer = self.effect(operation, region, effect).await;
        self.kill_point().await;
        sleep(half).await;
        drop(in_flight);
        let code = answer.as_ref().err().map(|error| error.code.clone());
        self.world.calls.borrow_mut().calls[index].answered = Some((self.now(), code));
        answer
    }

    async fn effect<T>(
        &self,
        operation: Operation,
        region: Option<&Region>,
        effect: impl Fn() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let fault = self.world.faults.borrow_mut().take(operation, region, self.now());
        let effect = || self.admit(operation, region).and_then(|()| effect());
        match fault {
            None => effect(),
            Some(Fault::Slow(by)) => {
                sleep(by).await;
                effect()
            }
            Some(Fault::AnswerLost(after)) => {
                // The answer is lost, even if it is a refusal.
                let _lost = effect();
                sleep(after).await;
                Err(timeout(operation, after))
            }
            Some(Fault::SentTwice(after)) => {
                let _lost = effect();
                sleep(after).await;
                effect()
            }
            Some(Fault::NoAnswer(after)) => {
                sleep(after).await;
                Err(timeout(operation, after))
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Error(code, message)) => Err(AwsError::new(operation.as_str(), code, message)),
        }
    }

    /// Refuses a call to a region that is not enabled, or with an empty bucket.
    fn admit(&self, operation: Operation, region: Option<&Region>) -> Result<(), AwsError> {
        if region.is_some_and(|region| !self.world.regions.contains(region)) {
            let message = "AWS was not able to validate the provided access credentials";
            return super::refused(operation, "AuthFailure", message);
        }
        let limit = self.settings().iam_limit;
        let admitted = self.world.buckets.borrow_mut().draw(operation.kind(), region, self.now(), limit);
        admitted.map_err(|(code, message)| {
            self.world.calls.borrow_mut().throttled += 1;
            AwsError::new(operation.as_str(), code, message)
        })
    }

    fn run_hooks(&self, operation: Operation) {
        let due: Vec<Hook> = self
            .world
            .calls
            .borrow_mut()
            .hooks
            .extract_if(.., |(of, _)| *of == operation)
            .map(|(_, hook)| hook)
            .collect();
        for hook in due {
            hook(self);
        }
    }

    /// Runs `happens` once, right before the next such call takes effect: a race on purpose.
    pub fn just_before(&self, operation: Operation, happens: impl FnOnce(&AwsModel) + 'static) {
        self.world.calls.borrow_mut().hooks.push((operation, Box::new(happens)));
    }

    /// Removes the hooks that have not run yet.
    pub fn nothing_more_just_before(&self) {
        self.world.calls.borrow_mut().hooks.clear();
    }

    /// Every call through a port, in the order in which they were sent.
    pub fn calls(&self) -> Vec<Call> {
        self.world.calls.borrow().calls.clone()
    }

    /// The calls that change IAM or EC2.
    pub fn writes(&self) -> Vec<Call> {
        let is_write = |call: &Call| matches!(call.operation.kind(), Kind::IamWrite | Kind::Mutate | Kind::Attach);
        self.calls().into_iter().filter(is_write).collect()
    }

    /// The number of calls of an operation.
    pub fn count(&self, operation: Operation) -> usize {
        self.world.calls.borrow().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// Forgets all calls so far, so that only later ones count.
    pub fn forget_calls(&self) {
        let log = &mut *self.world.calls.borrow_mut();
        assert!(log.in_flight.values().all(|&n| n == 0), "a call is under way");
        *log = Log { hooks: std::mem::take(&mut log.hooks), ..Log::default() };
    }

    /// The most calls that were under way in a region at the same time.
    pub fn peak_concurrency(&self, region: &str) -> usize {
        let region = Region::new(region).unwrap();
        self.world.calls.borrow().peak.get(&Some(region)).copied().unwrap_or(0)
    }

    /// The number of calls that an empty bucket refused. Faults do not count.
    pub fn throttled(&self) -> usize {
        self.world.calls.borrow().throttled
    }
}

fn timeout(operation: Operation, after: Duration) -> AwsError {
    AwsError::new(operation.as_str(), "Timeout", &format!("no answer within {} s", after.as_secs_f32()))
}
