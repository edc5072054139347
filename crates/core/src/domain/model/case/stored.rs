//! How a case is stored.
//!
//! Invariant: `case` holds only words that the first version knew. A newer case stands beside it, where an older version
//! does not look.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Case;

#[derive(Serialize, Deserialize)]
struct Stored {
    case: Case,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newer_case: Option<Case>,
}

/// Writes the case as two fields.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(case: &Case, serializer: S) -> Result<S::Ok, S::Error> {
    let (case, newer_case) = case.to_stored();
    Stored { case, newer_case }.serialize(serializer)
}

/// Reads the newer case, if there is one.
///
/// # Errors
/// Those of the deserializer, and a word that is no case.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Case, D::Error> {
    let Stored { case, newer_case } = Stored::deserialize(deserializer)?;
    Ok(newer_case.unwrap_or(case))
}
