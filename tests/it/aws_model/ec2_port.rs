//! EC2 as the port has it: every region, pages, filters of at most 200 values.
//!
//! Invariant: a region shows its own and no other's; what a filter names and EC2 does not know is left out, not an
//! error. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html> ("up to 200 values" a filter). Inferred:
//! a filter without values is refused.

use reprofile::model::{Association, Instance};
use reprofile::names::{AssociationId, InstanceId, ProfileArn, Region};
use reprofile::ports::{Clock, Ec2, Page};
use reprofile::reason::AwsError;

use super::calls::Operation;
use super::deeds::Effect;
use super::propagation::ProfileReference;
use super::{AwsModel, refused};

/// AWS's limit, written down once more: the model does not take it from the code that it judges.
const FILTER_VALUES: usize = 200;

fn check_filter(operation: Operation, values: &[InstanceId]) -> Result<(), AwsError> {
    if values.is_empty() {
        return refused(operation, "InvalidParameterValue", "The filter 'instance-id' has no values");
    }
    if values.len() > FILTER_VALUES {
        let message = "The maximum number of filter values specified on a single call is 200";
        return refused(operation, "FilterLimitExceeded", message);
    }
    Ok(())
}

impl AwsModel {
    fn ec2_page<T>(
        &self,
        operation: Operation,
        region: &Region,
        filter: Option<&[InstanceId]>,
        token: Option<&str>,
        rows: Vec<(String, T)>,
    ) -> Result<Page<T>, AwsError> {
        let (size, starts_empty) = (self.settings().ec2_page, self.settings().pages_start_empty);
        let request = format!("{} {region} {filter:?}", operation.as_str());
        let page = self.world.pages.borrow_mut().page(&request, token, rows, size, starts_empty);
        let message = "The specified pagination token is not valid or is expired.";
        page.or_else(|_| refused(operation, "InvalidPaginationToken", message))
    }
}

impl Ec2 for AwsModel {
    async fn regions(&self) -> Result<Vec<Region>, AwsError> {
        let home = self.world.home.clone();
        self.call(Operation::DescribeRegions, Some(&home), String::new(), || Ok(self.world.regions.clone())).await
    }

    async fn associations(
        &self,
        region: &Region,
        instances: Option<&[InstanceId]>,
        next: Option<&str>,
    ) -> Result<Page<Association>, AwsError> {
        let operation = Operation::DescribeIamInstanceProfileAssociations;
        self.call(operation, Some(region), subject(instances), || {
            instances.map_or(Ok(()), |values| check_filter(operation, values))?;
            let rows = self.visible_associations(region, instances);
            let rows = rows.into_iter().map(|row| (row.id.to_string(), row)).collect();
            self.ec2_page(operation, region, instances, next, rows)
        })
        .await
    }

    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError> {
        let operation = Operation::DescribeInstances;
        self.call(operation, Some(region), subject(Some(instances)), || {
            check_filter(operation, instances)?;
            let (now, terminated_shown) = (self.now(), self.settings().terminated_shown);
            let known = self.world.instances.borrow();
            let wanted: std::collections::BTreeSet<&InstanceId> = instances.iter().collect();
            let rows = wanted
                .into_iter()
                .filter_map(|id| known.get(id))
                .filter(|row| row.region == *region && row.shown_from <= now && row.is_known(now, terminated_shown))
                .map(|row| (row.id.to_string(), row.shown(now)))
                .collect();
            self.ec2_page(operation, region, Some(instances), next, rows)
        })
        .await
    }

    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        let operation = Operation::ReplaceIamInstanceProfileAssociation;
        self.call(operation, Some(region), association.to_string(), || {
            let before = self.ever_associated(association);
            let after = self.replace_now(region, association, &ProfileReference::Arn(profile.clone()))?;
            self.did(Effect::Given { instance: after.instance.clone(), before, after: after.clone() });
            Ok(after)
        })
        .await
    }

    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError> {
        let operation = Operation::DisassociateIamInstanceProfile;
        self.call(operation, Some(region), association.to_string(), || {
            let held = self.disassociate_now(region, association)?;
            self.did(Effect::TakenOff { instance: held.instance.clone(), held });
            Ok(())
        })
        .await
    }

    async fn associate(
        &self,
        region: &Region,
        instance: &InstanceId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        let operation = Operation::AssociateIamInstanceProfile;
        self.call(operation, Some(region), instance.to_string(), || {
            let before = self.last_association_of(instance);
            let after = self.associate_now(region, instance, &ProfileReference::Arn(profile.clone()))?;
            self.did(Effect::Given { instance: instance.clone(), before, after: after.clone() });
            Ok(after)
        })
        .await
    }
}

/// The ids that a filter names, as the record of the call has them.
fn subject(filter: Option<&[InstanceId]>) -> String {
    filter.unwrap_or_default().iter().map(InstanceId::as_str).collect::<Vec<_>>().join(" ")
}
