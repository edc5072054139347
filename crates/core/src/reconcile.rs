//! One profile's way through the ports: the door (`pipeline`), the phases, and what they read and write in AWS.

pub mod account_digest;
pub mod context;
pub mod error;
pub mod executor;
pub mod find_instances;
pub mod iam_writer;
pub mod intents;
pub mod lease;
pub mod observe;
pub mod pace;
pub mod pages;
mod phases;
pub mod pipeline;
mod publish;
mod recovery;
pub mod regions;
mod requeue;
pub mod succession;
pub mod summary;
pub mod sweep;
pub mod targets;
pub mod verify;
