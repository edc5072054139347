//! A call to EC2 that attached an instance profile to an instance, or took it off, as CloudTrail records it. Pure.
//!
//! Invariant: a call that failed, or that names another instance alone, is none of these.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html>

use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use reprofile_core::domain::actor::Actor;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileName};

/// The call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// The launch of the instance.
    Run,
    /// Attached a profile where there was none.
    Associate,
    /// Attached another profile, or the same again.
    Replace,
    /// Took the profile off.
    Disassociate,
}

/// A call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssociationCall {
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) call: Call,
    /// The profile that was attached, or taken off. `None`: the record does not name it.
    pub(crate) profile: Option<ProfileName>,
    /// The association that the call made or ended. `None`: the record does not name it.
    pub(crate) association: Option<AssociationId>,
    /// Whether a launch template said what to launch, and so may have named the profile.
    pub(crate) by_template: bool,
    /// Who.
    pub(crate) actor: Actor,
    /// CloudTrail's id of the record; may be empty.
    pub(crate) event_id: String,
}

impl Call {
    const ALL: [Self; 4] = [Self::Run, Self::Associate, Self::Replace, Self::Disassociate];

    /// The name, as EC2 spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "RunInstances",
            Self::Associate => "AssociateIamInstanceProfile",
            Self::Replace => "ReplaceIamInstanceProfileAssociation",
            Self::Disassociate => "DisassociateIamInstanceProfile",
        }
    }
}

impl AssociationCall {
    /// Reads a record that CloudTrail lists under the instance. A record need not name the instance itself: the request
    /// of a Replace or a Disassociate names the association alone, and some records lack the answer.
    pub(crate) fn read(record: &Value, instance: &InstanceId) -> Option<Self> {
        let name = text(record, "eventName")?;
        let call = Call::ALL.into_iter().find(|call| call.as_str() == name)?;
        if text(record, "eventSource") != Some("ec2.amazonaws.com") || text(record, "errorCode").is_some() {
            return None;
        }
        let request = inside(&record["requestParameters"], &format!("{name}Request"));
        let answer = inside(&record["responseElements"], &format!("{name}Response"));
        let launched = field(field(answer, "instancesSet"), "items").as_array();
        let is_it = |row: &&Value| text(row, "instanceId") == Some(instance.as_str());
        let made = match launched {
            Some(rows) => rows.iter().find(is_it)?,
            None => field(answer, "iamInstanceProfileAssociation"),
        };
        let named = [request, made].into_iter().find_map(|part| text(part, "instanceId"));
        if named.is_some_and(|named| named != instance.as_str()) {
            return None;
        }
        Some(Self {
            at: Timestamp::parse(text(record, "eventTime")?, &Rfc3339).ok()?,
            call,
            profile: [request, made].into_iter().find_map(|part| profile(field(part, "iamInstanceProfile"))),
            association: text(made, "associationId").and_then(|id| AssociationId::new(id).ok()),
            by_template: !field(request, "launchTemplate").is_null(),
            actor: Actor::read(record),
            event_id: text(record, "eventID").unwrap_or_default().to_owned(),
        })
    }

    /// Whether it has to do with a profile: a launch may be without one.
    pub(crate) fn is_about_a_profile(&self) -> bool {
        self.call != Call::Run || self.profile.is_some() || self.by_template
    }

    /// The AWS service that made the call, if it was one.
    pub(crate) fn service(&self) -> Option<&str> {
        self.actor.source.as_deref().filter(|source| source.ends_with(".amazonaws.com"))
    }
}

/// The profile, which callers name or give by its ARN.
fn profile(given: &Value) -> Option<ProfileName> {
    let by_arn = || Some(ProfileArn::parse(text(given, "arn")?).ok()?.name().clone());
    text(given, "name").and_then(|name| ProfileName::new(name).ok()).or_else(by_arn)
}

/// EC2's newer calls have request and answer in an object of their own.
fn inside<'a>(part: &'a Value, name: &str) -> &'a Value {
    let inner = field(part, name);
    if inner.is_null() { part } else { inner }
}

/// A field, whose first letter is large in some requests.
fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let fields = object.as_object();
    fields
        .and_then(|all| all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
        .map_or(NOTHING, |(_, value)| value)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    field(object, name).as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn instance() -> InstanceId {
        InstanceId::new("i-0123456789abcdef0").unwrap()
    }

    fn read(record: &Value) -> Option<AssociationCall> {
        AssociationCall::read(record, &instance())
    }

    fn named(call: &AssociationCall) -> (Option<&str>, Option<&str>) {
        (call.profile.as_ref().map(ProfileName::as_str), call.association.as_ref().map(AssociationId::as_str))
    }

    /// As Quick Setup's runbook leaves it, without an answer.
    fn replaced() -> Value {
        json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/AWS-QuickSetup-AutomationRole/Automation",
                "invokedBy": "ssm.amazonaws.com",
            },
            "eventTime": "2026-11-21T12:00:00Z",
            "eventSource": "ec2.amazonaws.com",
            "eventName": "ReplaceIamInstanceProfileAssociation",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "ssm.amazonaws.com",
            "userAgent": "aws-cli/2.27.0",
            "requestParameters": { "ReplaceIamInstanceProfileAssociationRequest": {
                "IamInstanceProfile": { "Name": "AmazonSSMRoleForInstancesQuickSetup" },
                "AssociationId": "iip-assoc-0123456789abcdef0",
            }},
            "responseElements": null,
            "eventID": "00000000-0000-4000-9000-000000000022",
        })
    }

    fn answered(call: &str, request: &Value, arn: &str) -> Value {
        let association = json!({
            "associationId": "iip-assoc-0aaaaaaaaaaaaaaa1", "instanceId": "i-0123456789abcdef0",
            "iamInstanceProfile": { "arn": arn, "id": "AIPAEXAMPLEEXAMPLE01" }, "state": "associating",
        });
        let mut record = replaced();
        record["eventName"] = call.into();
        record["requestParameters"] = json!({ format!("{call}Request"): request });
        record["responseElements"] =
            json!({ format!("{call}Response"): { "iamInstanceProfileAssociation": association } });
        record
    }

    #[test]
    fn a_replace_without_its_answer_shows_the_profile_and_the_service_that_called() {
        let call = read(&replaced()).unwrap();
        assert_eq!((call.at, call.call), (datetime!(2026-11-21 12:00 UTC), Call::Replace));
        assert_eq!(named(&call), (Some("AmazonSSMRoleForInstancesQuickSetup"), None), "the old association is not it");
        assert_eq!(call.service(), Some("ssm.amazonaws.com"));
        assert_eq!(call.event_id, "00000000-0000-4000-9000-000000000022");
    }

    #[test]
    fn an_answer_shows_the_new_association_and_a_profile_that_was_given_by_arn() {
        let arn = "arn:aws:iam::111122223333:instance-profile/app/web";
        let asked = json!({ "IamInstanceProfile": { "Arn": arn }, "AssociationId": "iip-assoc-0123456789abcdef0" });
        let made = Some("iip-assoc-0aaaaaaaaaaaaaaa1");
        let replaced = answered("ReplaceIamInstanceProfileAssociation", &asked, arn);
        assert_eq!(named(&read(&replaced).unwrap()), (Some("web"), made));
        let asked = json!({ "IamInstanceProfile": { "Name": "web" }, "InstanceId": "i-0123456789abcdef0" });
        let attached = answered("AssociateIamInstanceProfile", &asked, arn);
        assert_eq!(named(&read(&attached).unwrap()), (Some("web"), made));
        let asked = json!({ "AssociationId": "iip-assoc-0aaaaaaaaaaaaaaa1" });
        let taken_off = answered("DisassociateIamInstanceProfile", &asked, arn);
        assert_eq!(named(&read(&taken_off).unwrap()), (Some("web"), made), "the answer alone names what it took off");
    }

    #[test]
    fn a_launch_shows_its_profile_or_that_a_template_may_have_named_one() {
        let mut launched = replaced();
        launched["eventName"] = "RunInstances".into();
        launched["requestParameters"] = json!({ "iamInstanceProfile": { "name": "web" }, "instanceType": "t3.micro" });
        launched["responseElements"] = json!({ "instancesSet": { "items": [
            { "instanceId": "i-0bbbbbbbbbbbbbbb1" }, { "instanceId": "i-0123456789abcdef0" },
        ]}});
        assert_eq!(named(&read(&launched).unwrap()), (Some("web"), None));
        launched["requestParameters"] = json!({ "launchTemplate": { "launchTemplateId": "lt-1", "version": "3" } });
        let call = read(&launched).unwrap();
        assert!(call.by_template && call.is_about_a_profile());
        launched["requestParameters"] = json!({});
        assert!(!read(&launched).unwrap().is_about_a_profile());
        launched["responseElements"]["instancesSet"]["items"][1]["instanceId"] = "i-0cccccccccccccccc".into();
        assert_eq!(read(&launched), None, "a launch of others");
    }

    #[test]
    fn what_failed_or_is_another_call_or_another_instances_is_left_out() {
        let asked = json!({ "IamInstanceProfile": { "Name": "web" }, "InstanceId": "i-0123456789abcdef0" });
        let record = answered("AssociateIamInstanceProfile", &asked, "arn:aws:iam::111122223333:instance-profile/web");
        let other = "/requestParameters/AssociateIamInstanceProfileRequest/InstanceId";
        for (pointer, value) in [
            ("/eventName", "CreateTags"),
            ("/eventSource", "iam.amazonaws.com"),
            ("/eventTime", "yesterday"),
            (other, "i-0bbbbbbbbbbbbbbb1"),
        ] {
            let mut record = record.clone();
            *record.pointer_mut(pointer).unwrap() = value.into();
            assert_eq!(read(&record), None, "{pointer}");
        }
        let mut failed = record;
        failed["errorCode"] = "Client.IncorrectState".into();
        assert_eq!(read(&failed), None);
    }
}
