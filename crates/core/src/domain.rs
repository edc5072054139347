//! Checked types for what AWS has and sends: names, profiles, associations, events, errors, trust policies. Pure.

pub mod actor;
pub mod aws_error;
pub mod credentials;
pub mod event;
pub mod glob;
pub mod model;
pub mod names;
pub mod requeue;
pub mod trust_policy;
