//! Implements the EC2 port on `aws-sdk-ec2`: associations and instances, in every region.
//!
//! Invariant: one client for each region, made at its first call. No filter is sent without a value, because EC2 might
//! return everything, nor with more values than EC2 accepts. A write is attempted once.

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

/// The most rows that EC2 returns on a page.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
const MAX_RESULTS: i32 = 1000;

const DESCRIBE_INSTANCES: &str = "ec2:DescribeInstances";

/// The documented values of the filter `state`, without those of ended associations, which would fill the pages.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
const LIVE_STATES: [&str; 3] = ["associating", "associated", "disassociating"];

/// The EC2 of one account, in every region.
#[derive(Debug)]
pub struct Ec2Api {
    config: SdkConfig,
    calls: Calls,
    /// Holds clients of one account only, as this struct does.
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

    /// The client of the configuration's own region, kept like the others.
    fn home_client(&self) -> Client {
        match self.config.region().map(|region| Region::new(region.as_ref())) {
            Some(Ok(home)) => self.client(&home),
            _ => self.new_client(None),
        }
    }

    /// A new client for `region`, or for the configuration's own region.
    fn new_client(&self, region: Option<&Region>) -> Client {
        let mut builder = config::Builder::from(&self.config).interceptor(self.calls.clone());
        if let Some(region) = region {
            builder = builder.region(SdkRegion::new(region.to_string()));
        }
        Client::from_conf(builder.build())
    }
}

impl Ec2Api {
    /// A page of instances with the instance profiles that they hold. The others are left out.
    async fn holders_by(&self, region: &Region, filter: Filter, next: Option<&str>) -> Result<Page<Holder>, AwsError> {
        let request = self
            .client(region)
            .describe_instances()
            .filters(filter)
            .include_managed_resources(true)
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(DESCRIBE_INSTANCES, &error))?;
        let rows = answer.reservations().iter().flat_map(|launch| {
            readable(DESCRIBE_INSTANCES, launch.instances(), types::Instance::instance_id, from_sdk::holder)
        });
        Ok(Page { items: rows.flatten().collect(), next: next_page(answer.next_token()) })
    }
}

impl Ec2 for Ec2Api {
    /// Without `AllRegions`, EC2 lists the enabled regions. The call goes to the configuration's own region.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
    async fn regions(&self) -> Result<Vec<Region>, AwsError> {
        const OPERATION: &str = "ec2:DescribeRegions";
        let request = self.home_client().describe_regions();
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(readable(OPERATION, answer.regions(), types::Region::region_name, from_sdk::region))
    }

    /// For a whole region, ended associations are filtered out. They would fill pages, and decide nothing.
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
        // EC2 limits the values of all filters together. So ids are sent without a state, and the caller skips ended
        // ones.
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

    /// Asks by filter, because `InstanceIds` fails as a whole for one unknown id. Includes instances that a service
    /// manages. An account may hide these (`IncludeManagedResources`), while EC2 still lists their associations
    /// (inferred).
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError> {
        const OPERATION: &str = DESCRIBE_INSTANCES;
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

    async fn holders_among(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Holder>, AwsError> {
        if instances.is_empty() {
            return Ok(nothing());
        }
        self.holders_by(region, by_instance(DESCRIBE_INSTANCES, instances)?, next).await
    }

    /// Filters have the wildcards `*` and `?`, which no ARN of a profile contains.
    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError> {
        if arns.is_empty() {
            return Ok(nothing());
        }
        let by_arn = limited(DESCRIBE_INSTANCES, "iam-instance-profile.arn", arns.iter().map(String::as_str))?;
        self.holders_by(region, by_arn, next).await
    }

    /// Names the profile by ARN, so its path must match as well. An answer that cannot be read is an error with the
    /// code `MalformedAnswer`; the association may have been replaced.
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

    /// Ignores the answer, which only has the association that the caller already read.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html>
    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError> {
        const OPERATION: &str = "ec2:DisassociateIamInstanceProfile";
        let request = self.client(region).disassociate_iam_instance_profile().association_id(association.as_str());
        let answer = request.customize().config_override(once()).send().await;
        answer.map(drop).map_err(|error| error::of(OPERATION, &error))
    }

    /// Names the profile by ARN, and treats an unreadable answer as [`Self::replace_association`] does.
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

/// Turns the SDK's retries off for a write. After a lost answer the executor reads EC2 again before it sends a second
/// one.
fn once() -> config::Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

fn by_arn(profile: &ProfileArn) -> IamInstanceProfileSpecification {
    IamInstanceProfileSpecification::builder().arn(profile.to_string()).build()
}

/// The new association in the answer of a call.
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

/// A filter by the ids of instances.
fn by_instance(operation: &'static str, instances: &[InstanceId]) -> Result<Filter, AwsError> {
    limited(operation, "instance-id", instances.iter().map(InstanceId::as_str))
}

/// The only filter of a call. Refuses the values that EC2 would refuse.
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
