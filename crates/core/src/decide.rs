//! Every decision table: what is wrong, what may be done, what is reported, what is remembered. Pure.

pub mod diagnose;
pub mod iam_repair;
pub mod incident;
pub mod losses;
pub mod news;
pub mod next_actor;
pub mod notification;
pub mod plan;
pub mod profile_record;
pub mod recovery;
pub mod report;
pub mod successor;
