//! The EC2 port: every region, pages, filters of at most 200 values.
//!
//! Invariant: a region lists its own resources only. Resources that a filter names and EC2 does not know are left out,
//! and are no error.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html> (200 values on a single call,
//! 255 characters a value; a value is compared with regard to case). Inferred: a filter without values is refused, and
//! the ARN of an instance profile takes no wildcard.

use std::collections::BTreeMap;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Association, Instance};
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, Region};
use reprofile_core::ports::{Clock, Ec2, Holder, Page};

use super::calls::Operation;
use super::deeds::Effect;
use super::propagation::ProfileReference;
use super::{AwsModel, refused};

/// AWS's limit. The model has a copy, because it must not depend on the code that it tests.
const FILTER_VALUES: usize = 200;
const FILTER_LENGTH: usize = 255;

fn check_filter(operation: Operation, name: &str, values: usize) -> Result<(), AwsError> {
    if values == 0 {
        return refused(operation, "InvalidParameterValue", &format!("The filter '{name}' has no values"));
    }
    // EC2 counts the values of all filters of a call, and each call of the port has one filter.
    if values > FILTER_VALUES {
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
        filter: Option<&[impl std::fmt::Debug]>,
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

impl AwsModel {
    /// The instances that `DescribeInstances` lists in a region, each with the profile in its description.
    fn shown_holders(&self, region: &Region) -> Vec<(String, Option<Holder>)> {
        let (now, terminated_shown) = (self.now(), self.settings().terminated_shown);
        let held: BTreeMap<InstanceId, Association> = self
            .visible_associations(region, None)
            .into_iter()
            .filter(Association::is_held)
            .map(|row| (row.instance.clone(), row))
            .collect();
        let known = self.world.instances.borrow();
        known
            .rows()
            .filter(|row| row.region == *region && row.shown_from <= now && row.is_known(now, terminated_shown))
            .map(|row| {
                let holder = held.get(&row.id).map(|association| Holder {
                    instance: row.shown(now),
                    arn: association.arn.clone(),
                    held: association.held.clone(),
                });
                (row.id.to_string(), holder)
            })
            .collect()
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
            instances.map_or(Ok(()), |values| check_filter(operation, "instance-id", values.len()))?;
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
            check_filter(operation, "instance-id", instances.len())?;
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

    async fn holders_among(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Holder>, AwsError> {
        let operation = Operation::DescribeInstances;
        self.call(operation, Some(region), subject(Some(instances)), || {
            check_filter(operation, "instance-id", instances.len())?;
            let rows =
                self.shown_holders(region).into_iter().filter(|(id, _)| instances.iter().any(|one| one.as_str() == id));
            let page = self.ec2_page(operation, region, Some(instances), next, rows.collect())?;
            Ok(Page { items: page.items.into_iter().flatten().collect(), next: page.next })
        })
        .await
    }

    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError> {
        let operation = Operation::DescribeInstances;
        self.call(operation, Some(region), arns.join(" "), || {
            check_filter(operation, "iam-instance-profile.arn", arns.len())?;
            if arns.iter().any(|arn| arn.chars().count() > FILTER_LENGTH) {
                return refused(operation, "InvalidParameterValue", "A filter value has at most 255 characters");
            }
            if let Some(code) = self.settings().profile_filter_refused {
                return refused(operation, code, "The filter 'iam-instance-profile.arn' is refused");
            }
            let after_paging = self.settings().filters_after_paging;
            let rows = self.shown_holders(region).into_iter().filter_map(|(id, holder)| {
                let is_meant = holder.as_ref().is_some_and(|holder| arns.contains(&holder.arn.to_string()));
                (is_meant || after_paging).then_some((id, holder.filter(|_| is_meant)))
            });
            let page = self.ec2_page(operation, region, Some(arns), next, rows.collect())?;
            Ok(Page { items: page.items.into_iter().flatten().collect(), next: page.next })
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
            self.authorize(operation, before.as_ref())?;
            let after = self.replace_now(region, association, &ProfileReference::Arn(profile.clone()))?;
            self.did(Effect::Given { instance: after.instance.clone(), before, after: after.clone() });
            Ok(after)
        })
        .await
    }

    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError> {
        let operation = Operation::DisassociateIamInstanceProfile;
        self.call(operation, Some(region), association.to_string(), || {
            self.authorize(operation, self.ever_associated(association).as_ref())?;
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

impl AwsModel {
    /// Refuses what the template's role, and the policy that `reprofile permissions` prints, refuse: to take a profile
    /// off an instance that has the tag `reprofile`, in any case and with any value.
    fn authorize(&self, operation: Operation, association: Option<&Association>) -> Result<(), AwsError> {
        if association.is_some_and(|held| self.instance(&held.instance).hold.is_some()) {
            return refused(operation, "UnauthorizedOperation", "You are not authorized to perform this operation.");
        }
        Ok(())
    }
}

/// The ids in a filter, in the form of the record of calls.
fn subject(filter: Option<&[InstanceId]>) -> String {
    filter.unwrap_or_default().iter().map(InstanceId::as_str).collect::<Vec<_>>().join(" ")
}
