//! What came of a profile becomes the message that people on call read. Pure.
//!
//! Invariant: no name, tag or field of an event can break what SNS or a chat asks of a message, forge a line, a link or a
//! mention, or get into a command otherwise than quoted. The answer stands first: what broke, what was done, who has to act.

pub mod actions_taken;
pub mod aws_cli;
mod chat;
pub mod digest;
pub mod document;
pub mod facts;
mod headline;
pub mod letter;
mod links;
pub mod message;
pub mod next_steps;
pub mod notes;
pub mod plain;
mod policies;
mod reasons;
pub mod recovery;
mod subject;
pub mod text;
pub mod trust;
pub mod what_happened;
pub mod who;

#[cfg(test)]
mod tests;
