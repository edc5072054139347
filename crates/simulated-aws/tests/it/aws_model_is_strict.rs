//! The model of AWS refuses what AWS refuses, and takes the time that AWS takes: a test per rule.
//!
//! Invariant: each test fails if its rule is taken out of the model.

mod associations;
mod deployment;
mod faults;
mod iam;
mod iam_reads;
mod instances;
mod kills;
mod limits;
mod pages;
mod profile_filter;
mod propagation;
mod queue;
mod reprofiles_writes;
mod table;
mod topic;
mod trail;

use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::{ProfileArn, ProfileName, Region};
use tokio::time::sleep;

/// The error code of a call that has to be refused.
fn code<T: std::fmt::Debug>(answer: Result<T, AwsError>) -> String {
    answer.unwrap_err().code
}

fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).unwrap()
}

fn arn(path_and_name: &str) -> ProfileArn {
    ProfileArn::parse(&format!("arn:aws:iam::111122223333:instance-profile/{path_and_name}")).unwrap()
}

fn region(name: &str) -> Region {
    Region::new(name).unwrap()
}

async fn seconds(n: u64) {
    sleep(Duration::from_secs(n)).await;
}
