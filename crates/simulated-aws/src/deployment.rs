//! Reprofile deployed in the account, in virtual time: trail → rule → queue → function, and the schedule.
//!
//! Invariant: while the deployment runs, everything happens when it is due, whatever the function does. The number of
//! concurrent batches is limited. The numbers are those of `template.yaml`. The same seed gives the same run.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html> (batches, windows, concurrency),
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html> (late, at least once)

use std::fmt::Display;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;
use reprofile_core::domain::event::CallName;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::Clock;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use tokio::time::{sleep, timeout};

use super::AwsModel;
use super::function::{Ending, Follows, Invocation, Source};
use super::kills::Killed;

/// How fast and how reliably events and messages arrive.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The least time from a call in IAM to its event in the queue.
    pub trail_delay: Duration,
    /// The most additional time, which is random for each event. So events overtake each other.
    pub trail_jitter: Duration,
    /// One in this many events is lost; `None`: no event is.
    pub lose_one_in: Option<u64>,
    /// One in this many messages arrives twice; `None`: no message does.
    pub duplicate_one_in: Option<u64>,
    /// The seed of all random decisions.
    pub seed: u64,
    /// The most messages in a batch.
    pub batch_size: usize,
    /// The longest time that a batch waits for more messages.
    pub window: Duration,
    /// The most concurrent batches. Invocations of the schedule do not count.
    pub concurrency: usize,
    pub timeout: Duration,
    /// The time between two invocations of the schedule, and before the first one. `None`: there is no schedule.
    pub sweep_every: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            trail_delay: Duration::from_secs(5),
            trail_jitter: Duration::ZERO,
            lose_one_in: None,
            duplicate_one_in: None,
            seed: 0,
            batch_size: 10,
            window: Duration::from_secs(5),
            concurrency: 2,
            timeout: Duration::from_secs(150),
            sweep_every: None,
        }
    }
}

type Handler<'a> = Box<dyn Fn(Value) -> LocalBoxFuture<'a, Result<Value, String>> + 'a>;

/// An account in which Reprofile is deployed.
pub struct Deployment<'a> {
    aws: AwsModel,
    handler: Handler<'a>,
    pace: Pace,
    started: Timestamp,
    sweeps: u32,
    chance: u64,
    running: FuturesUnordered<LocalBoxFuture<'a, (usize, Source, Ending)>>,
    batches: usize,
    invocations: Vec<Invocation>,
    retries: Vec<(Timestamp, u32, Value)>,
    undelivered: Vec<Value>,
}

impl<'a> Deployment<'a> {
    /// Deploys a function: `Deployment::new(&aws, |payload| async move { lambda.invoke(&payload).await })` with
    /// `let lambda = &Lambda::new(&aws)`.
    pub fn new<F, E>(aws: &AwsModel, function: impl Fn(Value) -> F + 'a) -> Self
    where
        F: Future<Output = Result<Value, E>> + 'a,
        E: Display,
    {
        let answer = |answer: Result<Value, E>| answer.map_err(|error| error.to_string());
        Self {
            aws: aws.clone(),
            handler: Box::new(move |payload| function(payload).map(answer).boxed_local()),
            pace: Pace::default(),
            started: aws.now(),
            sweeps: 0,
            chance: 0,
            running: FuturesUnordered::new(),
            batches: 0,
            invocations: Vec::new(),
            retries: Vec::new(),
            undelivered: Vec::new(),
        }
    }

    /// With another pace: `deployment.at(|pace| pace.sweep_every = Some(HOUR))`.
    pub fn at(mut self, change: impl FnOnce(&mut Pace)) -> Self {
        change(&mut self.pace);
        self
    }

    /// The schedule invokes the function from now on, first after that time.
    pub fn schedule(&mut self, every: Duration) {
        (self.started, self.sweeps) = (self.aws.now(), 0);
        self.pace.sweep_every = Some(every);
    }

    /// Lets time pass, with all that is due in it. What is still under way then goes on in the next run; no time should
    /// pass in between.
    pub async fn run_for(&mut self, time: Duration) {
        self.run_during(sleep(time)).await;
    }

    /// Runs while a future runs: `deployment.run_during(aws.console_delete_role("web"))`.
    pub async fn run_during<T>(&mut self, happening: impl Future<Output = T>) -> T {
        let mut happening = pin!(happening);
        loop {
            if let Some(done) = self.step(happening.as_mut()).await {
                return done;
            }
        }
    }

    /// Runs until no event, message or invocation is under way, apart from the schedule. `false` where something still
    /// is at the end of this time.
    pub async fn run_until_quiet(&mut self, at_most: Duration) -> bool {
        let mut end = pin!(sleep(at_most));
        loop {
            self.take_in();
            self.start_due();
            if self.running.is_empty() && self.retries.is_empty() && self.aws.due_times().is_empty() {
                return true;
            }
            if self.step(end.as_mut()).await.is_some() {
                return false;
            }
        }
    }

    /// Invokes the function without the queue and without waiting, as the schedule does.
    pub fn invoke(&mut self, payload: Value) {
        self.start(Source::Event { failures: 0 }, payload);
    }

    /// Every invocation so far, in the order in which they began.
    pub fn invocations(&self) -> &[Invocation] {
        &self.invocations
    }

    /// Whether an invocation was killed.
    pub fn was_killed(&self) -> bool {
        self.invocations.iter().any(|one| matches!(one.ended, Some((_, Ending::Killed))))
    }

    /// The payloads of direct invocations that failed three times.
    pub fn undelivered(&self) -> &[Value] {
        &self.undelivered
    }

    /// Does everything that is due now, then waits for the next event. `Some` where `happening` ended.
    async fn step<T>(&mut self, happening: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        self.take_in();
        self.start_due();
        let (aws, next) = (self.aws.clone(), self.next_due());
        let at_next = async {
            match next {
                Some(at) => sleep((at - aws.now()).try_into().unwrap_or_default()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some((index, source, ending)) = self.running.next() => self.settle(index, source, ending),
            () = aws.world.changed.notified() => {}
            () = at_next => {}
            done = happening => return Some(done),
        }
        None
    }

    /// Splitmix64.
    fn by_chance(&mut self, below: u64) -> u64 {
        self.chance += 1;
        let mut z = self.pace.seed.wrapping_add(self.chance.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn one_in(&mut self, n: Option<u64>) -> bool {
        n.is_some_and(|n| self.by_chance(n) == 0)
    }

    /// The rule, which moves the events of successful calls from the trail to the queue.
    fn take_in(&mut self) {
        for (at, event) in self.aws.take_timed_events() {
            let is_meant = event["detail"]["eventName"].as_str().is_some_and(|name| name.parse::<CallName>().is_ok());
            if !is_meant || event["detail"].get("errorCode").is_some() || self.one_in(self.pace.lose_one_in) {
                continue;
            }
            let jitter = u64::try_from(self.pace.trail_jitter.as_millis()).unwrap();
            let late = self.pace.trail_delay + Duration::from_millis(self.by_chance(jitter + 1));
            let left = (at + late - self.aws.now()).try_into().unwrap_or_default();
            self.aws.put_in_queue(event, left);
        }
    }

    /// The time at which the next batch is full or has waited long enough. `None` at the limit of concurrent batches.
    fn batch_due(&self) -> Option<Timestamp> {
        if self.batches >= self.pace.concurrency {
            return None;
        }
        let due = self.aws.due_times();
        let full = due.get(self.pace.batch_size - 1).copied();
        let waited = due.first().map(|due| *due + self.pace.window);
        full.into_iter().chain(waited).min()
    }

    fn sweep_due(&self) -> Option<Timestamp> {
        self.pace.sweep_every.map(|every| self.started + every * (self.sweeps + 1))
    }

    fn next_due(&self) -> Option<Timestamp> {
        let retries = self.retries.iter().map(|(at, ..)| *at);
        retries.chain(self.batch_due()).chain(self.sweep_due()).min()
    }

    fn start_due(&mut self) {
        let now = self.aws.now();
        for (_, failures, payload) in self.retries.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>() {
            self.start(Source::Event { failures }, payload);
        }
        while self.sweep_due().is_some_and(|at| at <= now) {
            self.sweeps += 1;
            self.invoke(scheduled(&self.aws));
        }
        while self.batch_due().is_some_and(|at| at <= now) {
            let records = self.aws.take_batch(self.pace.batch_size);
            for record in &records {
                if self.one_in(self.pace.duplicate_one_in) {
                    self.aws.duplicate_message(record["messageId"].as_str().unwrap());
                }
            }
            // The batch is empty where all due messages became dead letters.
            if !records.is_empty() {
                self.batches += 1;
                self.start(Source::Queue, json!({ "Records": records }));
            }
        }
    }

    fn start(&mut self, source: Source, payload: Value) {
        let (aws, index, limit) = (self.aws.clone(), self.invocations.len(), self.pace.timeout);
        let work = (self.handler)(payload.clone());
        self.invocations.push(Invocation { payload, started: aws.now(), ended: None });
        self.running.push(Box::pin(async move {
            let ending = match aws.mortal(timeout(limit, work)).await {
                Ok(Ok(Ok(answer))) => Ending::Answered(answer),
                Ok(Ok(Err(error))) => Ending::Failed(error),
                Ok(Err(_)) => Ending::TimedOut,
                Err(Killed) => Ending::Killed,
            };
            (index, source, ending)
        }));
    }

    fn settle(&mut self, index: usize, source: Source, ending: Ending) {
        let now = self.aws.now();
        let invocation = &mut self.invocations[index];
        invocation.ended = Some((now, ending));
        match (invocation.follow(&self.aws, &source), source) {
            (Follows::Again(after), Source::Event { failures }) => {
                self.retries.push((now + after, failures + 1, invocation.payload.clone()));
            }
            (Follows::GivenUp, _) => self.undelivered.push(invocation.payload.clone()),
            (_, Source::Event { .. }) => {}
            (_, Source::Queue) => self.batches -= 1,
        }
    }
}

fn scheduled(aws: &AwsModel) -> Value {
    json!({
        "version": "0", "id": aws.world.ids.uuid(), "detail-type": "Scheduled Event", "source": "aws.events",
        "account": aws.account(), "time": aws.now().replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap(),
        "region": aws.world.home, "resources": [], "detail": {},
    })
}
