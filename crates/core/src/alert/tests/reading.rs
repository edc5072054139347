//! What people read, for every status and case that can occur.

mod broken;
mod chat;
mod failed;
mod healed;
mod large;
mod limits;
mod page;
mod renamed;
mod stuck;

use time::Duration;

use super::scene::*;
use crate::alert::message::{Letterhead, message};
use crate::config::Format;
use crate::decide::news::News;
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::notification::{IncidentReference, Notification};
use crate::decide::plan::{Blocker, Level};
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::event::CallName;
use crate::domain::model::{Case, InstanceState, Trust, TrustPart};

/// What the alerts of these tests share.
const HEAD: Letterhead<'_> = Letterhead { format: Format::Text, level: Level::Reassociate, runbook: None };

/// Subject, attributes and body as a subscriber gets them.
fn read(notification: &Notification, unread: &[UnreadRegion], format: Format) -> String {
    let message = message(notification, unread, Letterhead { format, ..HEAD });
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

/// An alert up to its details.
fn top(report: &ReconcileReport) -> String {
    top_of(&alone(report))
}

/// The same of a notification.
fn top_of(notification: &Notification) -> String {
    let text = read(notification, &[], Format::Text);
    text.split("\nDetails\n").next().unwrap_or_default().to_owned()
}

/// The first alert of an incident, on a look after which Reprofile comes back in two minutes.
fn alone(report: &ReconcileReport) -> Notification {
    let next = NextActor::of(report, Some(report.at + Duration::minutes(2)));
    let incident = IncidentReference { id: "web-role-1795262400".to_owned(), revision: 1 };
    Notification {
        incident: Some(incident),
        next,
        severity: Severity::of(report, next),
        news: vec![News::First],
        ..Notification::of_look(report.clone())
    }
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
