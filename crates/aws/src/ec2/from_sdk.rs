//! Converts EC2's rows into the core's types.
//!
//! Invariant: a state that is missing or that this version does not know becomes `Ending` or `Unknown`, which lead to
//! no step.

use aws_sdk_ec2::types;
use aws_sdk_ec2::types::{IamInstanceProfileAssociationState as SdkAssociationState, InstanceStateName};

use crate::clock::timestamp;
use crate::rows::{OddRow, need};
use reprofile_core::domain::model::{Association, AssociationState, Hold, Instance, InstanceState};
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, Region};
use reprofile_core::ports::Holder;

pub(super) fn region(row: &types::Region) -> Result<Region, OddRow> {
    Ok(Region::new(need("regionName", row.region_name())?)?)
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
pub(super) fn association(row: &types::IamInstanceProfileAssociation) -> Result<Association, OddRow> {
    let profile = need("iamInstanceProfile", row.iam_instance_profile())?;
    Ok(Association {
        id: AssociationId::new(need("associationId", row.association_id())?)?,
        instance: InstanceId::new(need("instanceId", row.instance_id())?)?,
        state: match row.state() {
            Some(SdkAssociationState::Associating) => AssociationState::Associating,
            Some(SdkAssociationState::Associated) => AssociationState::Associated,
            _ => AssociationState::Ending,
        },
        arn: ProfileArn::parse(need("arn", profile.arn())?)?,
        held: ProfileId::new(need("id", profile.id())?)?,
        since: row.timestamp().copied().and_then(timestamp),
    })
}

/// The instance with the profile in its description; `None` for an instance without a profile.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html>
pub(super) fn holder(row: &types::Instance) -> Result<Option<Holder>, OddRow> {
    let Some(profile) = row.iam_instance_profile() else { return Ok(None) };
    Ok(Some(Holder {
        instance: instance(row)?,
        arn: ProfileArn::parse(need("arn", profile.arn())?)?,
        held: ProfileId::new(need("id", profile.id())?)?,
    }))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html>
pub(super) fn instance(row: &types::Instance) -> Result<Instance, OddRow> {
    let tag = |key| row.tags().iter().find(|tag| tag.key() == Some(key)).map(|tag| tag.value().unwrap_or_default());
    Ok(Instance {
        id: InstanceId::new(need("instanceId", row.instance_id())?)?,
        state: row.state().and_then(types::InstanceState::name).map_or(InstanceState::Unknown, state),
        name: tag("Name").filter(|name| !name.is_empty()).map(str::to_owned),
        hold: Hold::from_tags(row.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))),
        launched: row.launch_time().copied().and_then(timestamp),
        operator_managed: row.operator().and_then(types::OperatorResponse::managed).unwrap_or_default(),
    })
}

fn state(name: &InstanceStateName) -> InstanceState {
    match name {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => InstanceState::Unknown,
    }
}
