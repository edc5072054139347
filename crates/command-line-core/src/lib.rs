//! The command line without the AWS SDK: what each command asks, decides and prints.
//!
//! Invariant: the function's package does not depend on this one, so nothing of it is compiled for the function. A
//! command prints results on stdout and nothing else there; all else goes to stderr.

pub mod arguments;
pub mod completions;
pub mod connect;
pub mod console;
pub mod error;
pub mod exit;
pub mod explain;
pub mod findings;
pub mod heal;
pub mod json;
pub mod man_page;
pub mod options;
pub mod paste;
pub mod permissions;
pub mod preview;
pub mod prior_state;
pub mod progress;
pub mod replay;
pub mod run;
pub mod scan;
pub mod schema;
pub mod subjects;
pub mod unread;
