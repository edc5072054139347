//! What `replay` is given becomes events: every shape in which CloudTrail's records are handed around.
//!
//! Invariant: the events are read by `event`, as the Lambda reads them; here they are only unpacked. Pure.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use super::error::Error;
use crate::event::{self, Event, Ignored, InvalidEvent, Payload};

/// No log file of CloudTrail is larger when unpacked: it cuts them every five minutes.
const LONGEST: u64 = 512 * 1024 * 1024;

/// What came out of the input, in its order.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// Events, and what is none.
    pub events: Vec<Result<Event, InvalidEvent>>,
    /// How many records are of calls that Reprofile has no interest in; its rule would not let them through.
    pub others: usize,
}

/// Reads the input: JSON, one value or several, gzipped or not.
///
/// # Errors
/// Where it is no JSON, or has no event in it.
pub fn unpack(input: &[u8]) -> Result<Unpacked, Error> {
    let unzipped;
    let text = if input.starts_with(&[0x1f, 0x8b]) {
        let mut bytes = Vec::new();
        MultiGzDecoder::new(input)
            .take(LONGEST)
            .read_to_end(&mut bytes)
            .map_err(|cause| Error::Input(format!("the gzipped input cannot be unpacked: {cause}")))?;
        unzipped = bytes;
        &unzipped[..]
    } else {
        input
    };
    let mut unpacked = Unpacked::default();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        let value = value.map_err(|cause| Error::Input(format!("the input is no JSON: {cause}")))?;
        unpacked.add(&value)?;
    }
    if unpacked.events.is_empty() && unpacked.others == 0 {
        return Err(Error::Input("there is no event in the input".to_owned()));
    }
    Ok(unpacked)
}

impl Unpacked {
    fn add(&mut self, value: &Value) -> Result<(), Error> {
        if let Value::Array(values) = value {
            return values.iter().try_for_each(|value| self.add(value));
        }
        if let Some(Value::Array(events)) = value.get("Events") {
            // What `aws cloudtrail lookup-events` prints: the record is a string in it.
            return events.iter().try_for_each(|event| self.add_looked_up(event));
        }
        if let Some(Value::Array(records)) = value.get("Records")
            && !records.iter().any(|record| record.get("body").is_some())
        {
            for record in records {
                self.add_record(record);
            }
            return Ok(());
        }
        if value.get("CloudTrailEvent").is_some() {
            return self.add_looked_up(value);
        }
        if value.get("eventName").is_some() && value.get("detail-type").is_none() {
            self.add_record(value);
            return Ok(());
        }
        match event::parse(value) {
            Ok(Payload::Single(event)) => self.events.push(Ok(event)),
            Ok(Payload::Notified(events)) => self.events.extend(events.into_iter().map(Ok)),
            Ok(Payload::Batch(messages)) => self.events.extend(messages.into_iter().map(|message| message.event)),
            Err(error) => self.events.push(Err(error)),
        }
        Ok(())
    }

    fn add_looked_up(&mut self, event: &Value) -> Result<(), Error> {
        let text = event["CloudTrailEvent"].as_str().unwrap_or_default();
        let record = serde_json::from_str(text)
            .map_err(|cause| Error::Input(format!("a CloudTrailEvent in the input is no JSON: {cause}")))?;
        self.add_record(&record);
        Ok(())
    }

    /// A bare record, put into the envelope that EventBridge delivers it in.
    fn add_record(&mut self, record: &Value) {
        let envelope = json!({
            "detail-type": "AWS API Call via CloudTrail",
            "account": record.get("recipientAccountId").or(record["userIdentity"].get("accountId")),
            "time": record["eventTime"],
            "detail": record,
        });
        match event::parse(&envelope) {
            Ok(Payload::Single(Event::Ignored(Ignored::OtherCall { .. }))) => self.others += 1,
            Ok(Payload::Single(event)) => self.events.push(Ok(event)),
            Ok(Payload::Batch(_) | Payload::Notified(_)) => {}
            Err(error) => self.events.push(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests;
