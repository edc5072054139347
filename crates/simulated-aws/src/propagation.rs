//! The delay with which a region of EC2 learns of changes in IAM.
//!
//! Invariant: EC2 only associates a profile that IAM had, with a role in it. It uses the ARN and id that its region
//! knows at that moment.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>. The
//! messages are those that Terraform and others wait out
//! (<https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/ec2_instance.go>); that a
//! Replace may take the old id is inferred.

use std::rc::Rc;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{ProfileArn, ProfileId, ProfileName, Region};
use reprofile_core::ports::Clock;

use super::calls::Operation;
use super::iam_state::{IamState, ProfileRecord};
use super::{AwsModel, refused};

/// The behaviour of a region of EC2 until it knows a fresh profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// The region refuses the profile for this long after its creation, and after a role was put in.
    Refused(Duration),
    /// The same, with the refusal `IncorrectState` and `InstanceIdentityProfileNotFound` in its message.
    /// <https://github.com/hashicorp/terraform-provider-aws/issues/12533>
    IncorrectState(Duration),
    /// The region sees IAM as it was this long ago. A profile that was re-created within that time gets its *old* id.
    OldIdTaken(Duration),
}

/// The form in which a call names a profile.
#[derive(Debug, Clone)]
pub(super) enum ProfileReference {
    /// By name alone.
    Name(ProfileName),
    /// By ARN, with the path.
    Arn(ProfileArn),
}

impl ProfileReference {
    fn name(&self) -> &ProfileName {
        match self {
            Self::Name(name) => name,
            Self::Arn(arn) => arn.name(),
        }
    }

    fn is_of(&self, profile: &ProfileRecord, minds_case: bool) -> bool {
        match self {
            Self::Name(name) => !minds_case || name.as_str() == profile.arn.name().as_str(),
            // Compares letter by letter, because `ProfileArn` ignores the case of the name.
            Self::Arn(arn) => profile.arn.to_string() == arn.to_string(),
        }
    }

    fn invalid(&self) -> String {
        let (parameter, value, what) = match self {
            Self::Name(name) => ("name", name.to_string(), "name"),
            Self::Arn(arn) => ("arn", arn.to_string(), "ARN"),
        };
        format!(
            "Value ({value}) for parameter iamInstanceProfile.{parameter} is invalid. Invalid IAM Instance Profile {what}"
        )
    }
}

impl AwsModel {
    /// The profile of a call as the region knows it, or EC2's refusal.
    pub(super) fn profile_in_region(
        &self,
        operation: Operation,
        region: &Region,
        reference: &ProfileReference,
    ) -> Result<(ProfileArn, ProfileId), AwsError> {
        let propagation =
            self.settings().regional_propagation.get(region).copied().unwrap_or(self.settings().propagation);
        let now = self.now();
        let (known, known_at): (Rc<IamState>, Timestamp) = match propagation {
            Propagation::Refused(after) | Propagation::IncorrectState(after) => {
                (self.world.iam.borrow().latest(), now - after)
            }
            Propagation::OldIdTaken(lag) => (self.world.iam.borrow().as_of(now - lag), now),
        };
        let minds_case = self.settings().iam_reads_mind_case;
        let profile = known.profile(reference.name()).filter(|profile| reference.is_of(profile, minds_case));
        if matches!(propagation, Propagation::IncorrectState(_)) && profile.is_some_and(|it| it.created > known_at) {
            let key = format!("{}/{}", self.world.account, reference.name());
            let message = format!(
                "ResultDetail: {{ Code=InstanceIdentityProfileNotFound, \
                 Message=InstanceIdentityProfile not found for the key: {key} }}"
            );
            return refused(operation, "IncorrectState", &message);
        }
        let Some(profile) = profile.filter(|profile| profile.created <= known_at) else {
            return refused(operation, "InvalidParameterValue", &reference.invalid());
        };
        if profile.role.as_ref().is_none_or(|role| role.added > known_at) {
            let message = format!("IAM Instance Profile \"{}\" has no associated IAM Roles", profile.arn);
            return refused(operation, "InvalidParameterValue", &message);
        }
        Ok((profile.arn.clone(), profile.id.clone()))
    }
}
