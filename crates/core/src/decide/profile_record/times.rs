//! A list of moments, as RFC 3339.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;

#[derive(Serialize, Deserialize)]
struct Moment(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

pub(super) fn serialize<S: Serializer>(times: &[OffsetDateTime], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().copied().map(Moment))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OffsetDateTime>, D::Error> {
    Ok(Vec::<Moment>::deserialize(deserializer)?.into_iter().map(|moment| moment.0).collect())
}
