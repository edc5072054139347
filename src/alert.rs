//! What came of a profile becomes the message that people on call read. Pure.
//!
//! Invariant: no name, tag or field of an event can break what SNS or a chat asks of a message, forge a line, a link or a
//! mention, or get into a command otherwise than quoted. The answer stands first: what broke, what was done, who has to act.

mod chat;
pub mod commands;
pub mod deeds;
pub mod document;
pub mod facts;
pub mod message;
pub mod notes;
pub mod overview;
pub mod plain;
pub mod steps;
pub mod story;
mod subject;
pub mod text;
pub mod trust;

#[cfg(test)]
mod tests;
