//! Reprofile puts EC2 instances back on their IAM role.
//!
//! `ARCHITECTURE.md` is the map: an event becomes a trigger, state is observed, diagnosed, planned for, acted on and
//! reported; each room of that pipeline is a module here.

pub mod act;
pub mod actor;
pub mod alert;
pub mod answer;
pub mod aws;
pub mod begun;
pub mod claim;
pub mod cli;
pub mod conclude;
pub mod config;
pub mod diagnose;
pub mod error;
pub mod event;
pub mod evidence;
pub mod glob;
pub mod iam_repair;
pub mod incident;
pub mod invocation;
pub mod losses;
pub mod memory;
pub mod mend;
pub mod metrics;
pub mod model;
pub mod names;
pub mod observe;
pub mod pipeline;
pub mod plan;
pub mod ports;
pub mod reach;
pub mod reason;
pub mod recheck;
pub mod report;
pub mod succession;
pub mod successor;
pub mod sweep;
pub mod trust;
