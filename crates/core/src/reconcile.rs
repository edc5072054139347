//! The one door and its phases, in the order in which a profile goes through them; what reads and writes AWS.

pub mod account_digest;
pub mod context;
pub mod error;
pub mod executor;
pub mod find_instances;
pub mod finish;
pub mod iam_writer;
pub mod intents;
pub mod lease;
pub mod observe;
pub mod outcomes;
pub mod pages;
pub mod pipeline;
pub mod regions;
pub mod seek_successors;
pub mod succession;
pub mod summary;
pub mod sweep;
pub mod targets;
pub mod underway;
