//! How much a document may hold, and how long it is kept.
//!
//! Invariant: a document stays under 300 KB, however many instances there are. DynamoDB takes 400 KB.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>

use time::Duration;

/// The version of the stored shape: written with every document, so that a later one can read this one.
pub const SHAPE: u16 = 1;

// What it may hold:
//
//     changes, and changes that wait    2 × 40 × 0.7 KB       56 KB
//     healed and listed instances       20 × 1 KB + 20 × 0.5  30 KB
//     ids of the told and of the lost   2 × 1,000 × 22 bytes  44 KB
//     swaps that were begun             300 × 170 bytes       51 KB
//     replaces that were begun          1,200 × 22 bytes      26 KB
//     instances that were forced        400 × 50 bytes        20 KB
//     counts by region and case         3 × 100 × 60 bytes    18 KB
//     binding, with 50 tags             50 × 0.4 KB           20 KB
//     associations on their way         100 × 150 bytes       15 KB
//     stuck ones that were swapped      200 × 22 bytes         5 KB
//     healed ones, and watched ones     400 × 22 bytes         9 KB
//     policies of a role                2 × 40 × 0.13 KB      10 KB
//                                                            304 KB
//
// `crates/simulated-aws/tests/it/stored/size.rs` fills a document with 20,000 instances.

/// Of the associations that are on their way, at most so many are kept.
pub(super) const MOST_ON_THEIR_WAY: usize = 100;

/// Of instances whose association was stuck, at most so many are swapped in an incident; an alert reports the others.
pub const MOST_SWAPPED: usize = 200;

/// So many swaps may be under way, or unfinished, at the same time. The next run, which follows at once, begins the others.
pub const MOST_DETACHING: usize = 300;

/// So many replaces may be: more than EC2's rate allows in a region while an invocation lasts.
pub const MOST_REPLACING: usize = 1200;

/// So many instances are made to take up a role; the others take it up by themselves within the hour.
pub const MOST_FORCED: usize = 400;

/// How long a document is kept after its last write. Looks renew it before.
pub const KEPT: Duration = Duration::days(90);
