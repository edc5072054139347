//! The end of a process at any moment that matters: before or after any of its calls takes effect.
//!
//! Invariant: what is killed never runs again, and nothing of it takes effect after the kill. Only calls made inside
//! [`AwsModel::mortal`] count, so other people's, and those of invocations beside it, go on. Between two calls nothing
//! changes that anyone else could see: a kill during a sleep or a computation is the kill before the next call.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::AwsModel;

/// It was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed;

/// When the next kill is, and who is being polled.
#[derive(Default)]
pub(super) struct Kills {
    /// How many points are passed before; none: there is no kill.
    left: Cell<Option<usize>>,
    polled: Cell<Polled>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Polled {
    /// Nobody that can be killed.
    #[default]
    Other,
    /// Someone who can.
    Mortal,
    /// Someone who was, in this very poll.
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
    /// Kills whoever passes the `n`th point from now, counted from 0 over everything that can be killed: two points a
    /// call, right before it takes effect and right after. So `for n in 0..` until nobody is killed tries them all.
    pub fn kill_at(&self, n: usize) {
        self.world.kills.left.set(Some(n));
    }

    /// Kills nobody any more.
    pub fn kill_nobody(&self) {
        self.world.kills.left.set(None);
    }

    /// Runs a process that is killed at its `n`th point; one that has fewer runs to its end.
    pub async fn killed_at<T>(&self, n: usize, process: impl Future<Output = T>) -> Result<T, Killed> {
        self.kill_at(n);
        let ended = self.mortal(process).await;
        self.world.kills.left.set(None);
        ended
    }

    /// Runs what can be killed.
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

    /// A moment at which whoever is being polled may be killed: then it gets no further.
    pub(super) async fn kill_point(&self) {
        if self.world.kills.strikes() {
            pending::<()>().await;
        }
    }
}
