//! Kills a process at any point that matters: right before or right after one of its calls takes effect.
//!
//! Invariant: a killed process never runs again, and takes no effect after the kill. Only calls inside
//! [`AwsModel::mortal`] count, so people and other invocations go on. Between two calls a process changes nothing that
//! others can see. So a kill during a sleep or a computation equals the kill before the next call.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::AwsModel;

/// The error of a process that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed;

/// The point of the next kill, and the process that is being polled.
#[derive(Default)]
pub(super) struct Kills {
    /// The number of points before the kill; `None`: there is no kill.
    left: Cell<Option<usize>>,
    polled: Cell<Polled>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Polled {
    /// A process that cannot be killed, or none.
    #[default]
    Other,
    /// A process that can be killed.
    Mortal,
    /// A process that was killed during this poll.
    Struck,
}

impl Kills {
    fn strikes(&self) -> bool {
        match (self.polled.get(), self.left.get()) {
            (Polled::Other, _) | (Polled::Mortal, None) => false,
            (Polled::Struck, _) => true,
            (Polled::Mortal, Some(0)) => {
                self.left.set(None);
                self.polled.set(Polled::Struck);
                true
            }
            (Polled::Mortal, Some(left)) => {
                self.left.set(Some(left - 1));
                false
            }
        }
    }
}

impl AwsModel {
    /// Kills the process that passes the `n`th point from now. Points count from 0, over all processes that can be
    /// killed. Each call has two: right before it takes effect, and right after. `for n in 0..`, until nothing is
    /// killed, tries them all.
    pub fn kill_at(&self, n: usize) {
        self.world.kills.left.set(Some(n));
    }

    /// Cancels the kill.
    pub fn kill_nobody(&self) {
        self.world.kills.left.set(None);
    }

    /// Runs a process and kills it at its `n`th point. A process with fewer points runs to its end.
    pub async fn killed_at<T>(&self, n: usize, process: impl Future<Output = T>) -> Result<T, Killed> {
        self.kill_at(n);
        let ended = self.mortal(process).await;
        self.world.kills.left.set(None);
        ended
    }

    /// Runs a process that can be killed.
    pub(super) async fn mortal<T>(&self, process: impl Future<Output = T>) -> Result<T, Killed> {
        let polled = &self.world.kills.polled;
        let mut process = pin!(process);
        poll_fn(|context| {
            let outer = polled.replace(Polled::Mortal);
            let answer = process.as_mut().poll(context);
            match polled.replace(outer) {
                Polled::Struck => Poll::Ready(Err(Killed)),
                _ => answer.map(Ok),
            }
        })
        .await
    }

    /// A point at which the process that is being polled may be killed. It does not continue then.
    pub(super) async fn kill_point(&self) {
        if self.world.kills.strikes() {
            pending::<()>().await;
        }
    }
}
