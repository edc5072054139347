//! What is under way, and how it ends on an interruption (Ctrl-C, SIGTERM, a closed terminal).
//!
//! Invariant: after the first interruption no step begins, and begun steps are finished, so that no instance is left
//! between Disassociate and Associate. After the second it ends at once, and prints the commands that finish.

use std::cell::{Cell, RefCell};
use std::io;

use crate::console::Console;
use reprofile_core::alert::aws_cli::{self, Home};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Step;
use reprofile_core::domain::names::{Partition, ProfileName};

/// The writes that have begun and are not over.
#[derive(Debug)]
pub struct UnderWay {
    partition: Partition,
    is_to_stop: Cell<bool>,
    swaps: RefCell<Vec<Step>>,
    repair: RefCell<Option<(ProfileName, IamRepair)>>,
}

impl UnderWay {
    /// Nothing has begun.
    #[must_use]
    pub fn new(partition: Partition) -> Self {
        Self { partition, is_to_stop: Cell::new(false), swaps: RefCell::default(), repair: RefCell::default() }
    }

    /// From now on no step begins.
    pub fn stop(&self) {
        self.is_to_stop.set(true);
    }

    /// Whether it was interrupted.
    #[must_use]
    pub fn is_to_stop(&self) -> bool {
        self.is_to_stop.get()
    }

    /// These steps begin.
    pub(crate) fn begin(&self, steps: &[Step]) {
        self.swaps.borrow_mut().extend(steps.iter().filter(|step| step.action.detaches()).cloned());
    }

    /// These steps are over.
    pub(crate) fn end(&self, steps: &[Step]) {
        self.swaps.borrow_mut().retain(|swap| !steps.iter().any(|step| step.instance == swap.instance));
    }

    /// A repair in IAM begins; `None`: it is over.
    pub(crate) fn writing_iam(&self, repair: Option<(ProfileName, IamRepair)>) {
        self.repair.replace(repair);
    }

    /// The commands that finish what has begun. AWS refuses one that is not needed, which does no harm.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let home = Home::of(&self.partition, None);
        let repair = self.repair.borrow();
        let role = repair.iter().map(|(profile, repair)| home.add_role(profile, Some(&repair.role().name)));
        let swaps = self.swaps.borrow();
        let swaps = swaps.iter().map(|step| aws_cli::associate(&step.region, &step.instance, step.profile.name()));
        role.chain(swaps).collect()
    }
}

/// Works to the end. `None` after the second interruption.
///
/// # Errors
/// Where the process cannot listen to signals; nothing was begun then.
pub async fn interruptible<T>(
    under_way: &UnderWay,
    console: &Console,
    work: impl Future<Output = T>,
) -> io::Result<Option<T>> {
    let mut signals = Signals::listen()?;
    let interruption = async {
        signals.next().await;
        under_way.stop();
        console.note("\nStopping after the current step, which can take some minutes. Press Ctrl-C again to quit now.");
        signals.next().await;
    };
    tokio::select! {
        biased;
        done = work => Ok(Some(done)),
        () = interruption => Ok(None),
    }
}

/// The signals that ask a process to end.
#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let [interrupt, terminate, hangup] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Ok(Self([signal(interrupt)?, signal(terminate)?, signal(hangup)?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The signals that ask a process to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere listening can fail")]
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where Ctrl-C cannot be listened to, it ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
