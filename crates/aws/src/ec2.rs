//! The EC2 port on `aws-sdk-ec2`: associations and instances, in every region.
//!
//! Invariant: one client a region, made when it is first asked; a filter never goes out without a value (EC2 might
//! answer with everything) nor with more than it takes. A write is attempted once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{self, Config, Region as SdkRegion};
use aws_sdk_ec2::types::{self, Filter, IamInstanceProfileSpecification};

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Association, Instance};
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, Region};
use reprofile_core::ports::{Ec2, Holder, MAX_FILTER_VALUES, Page};

use super::calls::Calls;
use super::error;
use super::rows::{need, next_page, readable};

mod from_sdk;
#[cfg(test)]
mod tests;

/// The most that EC2 puts on a page.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
const MAX_RESULTS: i32 = 1000;

/// The documented values of the `state` filter but none that is over, so that ended associations don't fill the pages.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
const LIVE_STATES: [&str; 3] = ["associating", "associated", "disassociating"];

/// EC2 of one account, in every region.
#[derive(Debug)]
pub struct Ec2Api {
    config: SdkConfig,
    calls: Calls,
    /// Regions are asked as one account: the struct is of one account, and so is the cache.
    clients: Mutex<BTreeMap<Region, Client>>,
}

impl Ec2Api {
    pub(super) fn new(config: SdkConfig, calls: Calls) -> Self {
        Self { config, calls, clients: Mutex::default() }
    }

    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(region.clone()).or_insert_with(|| self.new_client(Some(region))).clone()
    }

    /// The client of the region that the configuration names, kept like the others.
    fn home_client(&self) -> Client {
        match self.config.region().map(|region| Region::new(region.as_ref())) {
            Some(Ok(home)) => self.client(&home),
            _ => self.new_client(None),
        }
    }

    /// A client of `region`; without, of the region that the configuration names.
    fn new_client(&self, region: Option<&Region>) -> Client {
        let mut builder = config::Builder::from(&self.config).interceptor(self.calls.clone());
        if let Some(region) = region {
            builder = builder.region(SdkRegion::new(region.to_string()));
        }
        Client::from_conf(builder.build())
    }
}

impl Ec2 for Ec2Api {
    /// Without `AllRegions`, EC2 lists those that are enabled; asked in the configuration's own region.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
    async fn regions(&self) -> Result<Vec<Region>, AwsError> {
        const OPERATION: &str = "ec2:DescribeRegions";
        let request = self.home_client().describe_regions();
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(readable(OPERATION, answer.regions(), types::Region::region_name, from_sdk::region))
    }

    /// A whole region is read without the associations that are over: they would fill pages, and decide nothing.
    async fn associations(
        &self,
        region: &Region,
        instances: Option<&[InstanceId]>,
        next: Option<&str>,
    ) -> Result<Page<Association>, AwsError> {
        const OPERATION: &str = "ec2:DescribeIamInstanceProfileAssociations";
        if instances.is_some_and(<[_]>::is_empty) {
            return Ok(nothing());
        }
        // Values count across all filters of a call: ids go out alone, and the caller leaves out what is over.
        let filter = match instances {
            Some(instances) => by_instance(OPERATION, instances)?,
            None => filter("state", LIVE_STATES),
        };
        let request = self
            .client(region)
            .describe_iam_instance_profile_associations()
            .filters(filter)
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(Page {
            items: readable(
                OPERATION,
                answer.iam_instance_profile_associations(),
                |row| row.association_id().or(row.instance_id()),
                from_sdk::association,
            ),
            next: next_page(answer.next_token()),
        })
    }

    /// By filter and not by `InstanceIds`, which fails as a whole for one unknown id. With those that a service manages:
    /// an account may hide them (`IncludeManagedResources`), while their associations are shown (inferred).
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError> {
        const OPERATION: &str = "ec2:DescribeInstances";
        if instances.is_empty() {
            return Ok(nothing());
        }
        let request = self
            .client(region)
            .describe_instances()
            .filters(by_instance(OPERATION, instances)?)
            .include_managed_resources(true)
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        let items = answer
            .reservations()
            .iter()
            .flat_map(|launch| {
                readable(OPERATION, launch.instances(), types::Instance::instance_id, from_sdk::instance)
            })
            .collect();
        Ok(Page { items, next: next_page(answer.next_token()) })
    }

    /// `*` and `?` are wildcards in filters; no ARN of a profile has them.
    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError> {
        const OPERATION: &str = "ec2:DescribeInstances";
        if arns.is_empty() {
            return Ok(nothing());
        }
        let request = self
            .client(region)
            .describe_instances()
            .filters(limited(OPERATION, "iam-instance-profile.arn", arns.iter().map(String::as_str))?)
            .include_managed_resources(true)
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        let rows = answer
            .reservations()
            .iter()
            .flat_map(|launch| readable(OPERATION, launch.instances(), types::Instance::instance_id, from_sdk::holder));
        Ok(Page { items: rows.flatten().collect(), next: next_page(answer.next_token()) })
    }

    /// By ARN, so that the path is right as well. An answer that can't be read is an error, code `MalformedAnswer`: the
    /// association may have been replaced.
    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        const OPERATION: &str = "ec2:ReplaceIamInstanceProfileAssociation";
        let request = self
            .client(region)
            .replace_iam_instance_profile_association()
            .association_id(association.as_str())
            .iam_instance_profile(by_arn(profile));
        let answer = request.customize().config_override(once()).send().await;
        let answer = answer.map_err(|error| error::of(OPERATION, &error))?;
        made(OPERATION, answer.iam_instance_profile_association())
    }

    /// The answer shows the association on its way out, which the caller has read already.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html>
    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError> {
        const OPERATION: &str = "ec2:DisassociateIamInstanceProfile";
        let request = self.client(region).disassociate_iam_instance_profile().association_id(association.as_str());
        let answer = request.customize().config_override(once()).send().await;
        answer.map(drop).map_err(|error| error::of(OPERATION, &error))
    }

    /// By ARN, as [`Self::replace_association`]; and an answer that can't be read is an error likewise.
    async fn associate(
        &self,
        region: &Region,
        instance: &InstanceId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError> {
        const OPERATION: &str = "ec2:AssociateIamInstanceProfile";
        let request = self
            .client(region)
            .associate_iam_instance_profile()
            .instance_id(instance.as_str())
            .iam_instance_profile(by_arn(profile));
        let answer = request.customize().config_override(once()).send().await;
        let answer = answer.map_err(|error| error::of(OPERATION, &error))?;
        made(OPERATION, answer.iam_instance_profile_association())
    }
}

/// Attempted once: after a lost answer `act` looks before it sends again, which the SDK's own retry would not.
fn once() -> config::Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

fn by_arn(profile: &ProfileArn) -> IamInstanceProfileSpecification {
    IamInstanceProfileSpecification::builder().arn(profile.to_string()).build()
}

/// The association that a call made, as its answer shows it.
fn made(
    operation: &'static str,
    association: Option<&types::IamInstanceProfileAssociation>,
) -> Result<Association, AwsError> {
    need("iamInstanceProfileAssociation", association)
        .and_then(from_sdk::association)
        .map_err(|odd| odd.into_error(operation))
}

fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// A filter on the instances.
fn by_instance(operation: &'static str, instances: &[InstanceId]) -> Result<Filter, AwsError> {
    limited(operation, "instance-id", instances.iter().map(InstanceId::as_str))
}

/// The only filter of a call, refused where EC2 would refuse it.
fn limited<'a>(
    operation: &'static str,
    name: &str,
    values: impl ExactSizeIterator<Item = &'a str>,
) -> Result<Filter, AwsError> {
    if values.len() > MAX_FILTER_VALUES {
        let message = format!("a call takes at most {MAX_FILTER_VALUES} filter values, not {}", values.len());
        return Err(AwsError::new(operation, "FilterLimitExceeded", &message));
    }
    Ok(filter(name, values))
}
