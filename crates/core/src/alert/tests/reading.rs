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
use crate::decide::notification::Notification;
use crate::decide::plan::Blocker;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::event::CallName;
use crate::domain::model::{Case, InstanceState, Trust, TrustPart};

/// Subject, attributes and body as a subscriber gets them.
fn read(notification: &Notification, unread: &[UnreadRegion], format: Format) -> String {
    let message = message(notification, unread, format);
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

fn text(report: &ReconcileReport) -> String {
    read(&alone(report), &[], Format::Text)
}

/// The report as a look that stands for itself.
fn alone(report: &ReconcileReport) -> Notification {
    Notification::of_look(report.clone())
}

fn with(mut report: ReconcileReport, instances: Vec<InstanceReport>) -> ReconcileReport {
    report.instances = instances;
    report
}

fn after(mut report: ReconcileReport, changes: Vec<crate::domain::event::Change>) -> ReconcileReport {
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

fn healed_trap() -> ReconcileReport {
    let mut second = instance(2, "eu-west-1", Case::Stale, healed());
    second.found.instance.name = None;
    let third = instance(3, "us-east-1", Case::Stale, healed());
    let instances = vec![instance(1, "eu-west-1", Case::Stale, healed()), second, third];
    after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())
}

fn gone() -> ReconcileReport {
    let mut first = instance(1, "eu-west-1", Case::Gone, left(Blocker::NoProfile));
    let mut second = in_state(instance(2, "us-east-1", Case::Gone, left(Blocker::NoProfile)), InstanceState::Stopped);
    for one in [&mut first, &mut second] {
        one.found.association.arn = arn("/app/web-role");
    }
    after(with(report(None), vec![first, second]), console_deletes())
}
