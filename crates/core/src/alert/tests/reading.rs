//! What people read, for every status and case that can occur.

mod broken;
mod chat;
mod failed;
mod healed;
mod large;
mod renamed;
mod stuck;

use super::scene::*;
use crate::alert::message::message;
use crate::config::Format;
use crate::decide::plan::Blocker;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ProfileReport, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::event::CallName;
use crate::domain::model::{Case, InstanceState, Trust, TrustPart};

/// Subject, attributes and body as a subscriber gets them.
fn read(report: &ProfileReport, unread: &[UnreadRegion], format: Format) -> String {
    let message = message(report, unread, format);
    let attributes: Vec<String> = message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body = match format {
        Format::Text => message.body,
        Format::Chat => {
            let json: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            serde_json::to_string_pretty(&json).unwrap()
        }
    };
    format!("Subject: {}\n{}\n\n{body}", message.subject, attributes.join(" "))
}

fn text(report: &ProfileReport) -> String {
    read(report, &[], Format::Text)
}

fn with(mut report: ProfileReport, instances: Vec<InstanceReport>) -> ProfileReport {
    report.instances = instances;
    report
}

fn after(mut report: ProfileReport, changes: Vec<crate::domain::event::Change>) -> ProfileReport {
    report.changes = changes;
    report
}

fn denied() -> AwsError {
    AwsError::new(
        "ec2:ReplaceIamInstanceProfileAssociation",
        "UnauthorizedOperation",
        "You are not authorized to perform: iam:PassRole on resource arn:aws:iam::111122223333:role/web-role",
    )
}

fn healed_trap() -> ProfileReport {
    let mut second = instance(2, "eu-west-1", Case::Stale, healed());
    second.found.instance.name = None;
    let third = instance(3, "us-east-1", Case::Stale, healed());
    let instances = vec![instance(1, "eu-west-1", Case::Stale, healed()), second, third];
    after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())
}

fn gone() -> ProfileReport {
    let mut first = instance(1, "eu-west-1", Case::Gone, left(Blocker::NoProfile));
    let mut second = in_state(instance(2, "us-east-1", Case::Gone, left(Blocker::NoProfile)), InstanceState::Stopped);
    for one in [&mut first, &mut second] {
        one.found.association.arn = arn("/app/web-role");
    }
    after(with(report(None), vec![first, second]), console_deletes())
}
