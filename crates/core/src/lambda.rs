//! The function's outside: a payload goes in; the answer and the metrics come out.

pub mod handler;
pub mod invocation;
pub mod metrics;
