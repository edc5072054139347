//! Every status and case as it is read, and the laws that no name, tag or field of an event can break.

mod laws;
mod reading;
mod scene;
