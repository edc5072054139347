//! What Reprofile decides and does, without the AWS SDK: the Lambda function and the command line stand on it.
//!
//! `domain` has AWS's words as checked types, `decide` every decision table, `alert` what people read; all three are pure.
//! `reconcile` takes a profile all the way through the ports, and `lambda` is the function's outside.

pub mod alert;
pub mod config;
pub mod decide;
pub mod domain;
pub mod lambda;
pub mod ports;
pub mod reconcile;

#[cfg(test)]
mod tests;
