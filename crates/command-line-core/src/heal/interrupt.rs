//! What is under way, and how it ends when somebody interrupts it (Ctrl-C, SIGTERM, a terminal that goes away).
//!
//! Invariant: asked once, nothing further is begun and what is under way is brought to its end, so that no instance is
//! left between Disassociate and Associate. Asked again, it ends at once, and says by which commands to finish.

use std::cell::{Cell, RefCell};
use std::io;

use crate::console::Console;
use reprofile_core::alert::aws_cli::{self, Home};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Step;
use reprofile_core::domain::names::{Partition, ProfileName};

/// What was begun and is not over.
#[derive(Debug)]
pub struct UnderWay {
    partition: Partition,
    is_to_stop: Cell<bool>,
    swaps: RefCell<Vec<Step>>,
    repair: RefCell<Option<(ProfileName, IamRepair)>>,
}

impl UnderWay {
    /// Nothing yet.
    #[must_use]
    pub fn new(partition: Partition) -> Self {
        Self { partition, is_to_stop: Cell::new(false), swaps: RefCell::default(), repair: RefCell::default() }
    }

    /// Asks that nothing further is begun.
    pub fn stop(&self) {
        self.is_to_stop.set(true);
    }

    /// Whether somebody asked for that.
    #[must_use]
    pub fn is_to_stop(&self) -> bool {
        self.is_to_stop.get()
    }

    /// Takes note of steps that are about to be taken.
    pub(crate) fn begin(&self, steps: &[Step]) {
        self.swaps.borrow_mut().extend(steps.iter().filter(|step| step.action.detaches()).cloned());
    }

    /// Takes note that they are over.
    pub(crate) fn end(&self, steps: &[Step]) {
        self.swaps.borrow_mut().retain(|swap| !steps.iter().any(|step| step.instance == swap.instance));
    }

    /// Takes note of what is about to be put right in IAM, or that it is over.
    pub(crate) fn writing_iam(&self, repair: Option<(ProfileName, IamRepair)>) {
        self.repair.replace(repair);
    }

    /// The commands that finish what was begun. One that was not needed is refused by AWS, and does no harm.
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

/// Works to the end, or to the second interruption: then `None`.
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
        console.note(
            "\nInterrupted: nothing further is begun; what is under way is brought to its end, which can take some minutes. \
             Interrupt again to end at once.",
        );
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
