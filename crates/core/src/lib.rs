//! Everything that Reprofile decides and does, without the AWS SDK. The Lambda function and the command line use it.
//!
//! `domain` has the checked types, `decide` the decision tables, and `alert` the texts for people. These three are
//! pure. `reconcile` takes a profile through all phases of a run, and calls AWS through `ports`. `lambda` handles
//! invocations.

pub mod alert;
pub mod config;
#[warn(missing_docs)]
pub mod decide;
#[warn(missing_docs)]
pub mod domain;
pub mod lambda;
#[warn(missing_docs)]
pub mod ports;
pub mod reconcile;

#[cfg(test)]
mod tests;
