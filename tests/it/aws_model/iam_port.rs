//! IAM's reads, as the port has them: perhaps of a moment ago, always in pages.
//!
//! Invariant: a read answers with one state that IAM really was in; only what was not in that state is not found.
//! Inferred from names being unique whatever their case: a read takes a name in any case.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html> ("might return fewer than the
//! MaxItems number"),
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>

use std::rc::Rc;

use reprofile::model::Profile;
use reprofile::names::{ProfileName, RoleName};
use reprofile::ports::{Clock, Iam, Page};
use reprofile::reason::AwsError;

use super::calls::Operation;
use super::iam_state::{IamState, ProfileRecord};
use super::{AwsModel, refused};

impl AwsModel {
    /// IAM as its reads show it now.
    fn iam_as_read(&self) -> Rc<IamState> {
        let lag = self.settings().iam_reads_lag;
        self.world.iam.borrow().as_of(self.now() - lag)
    }

    fn iam_page<T>(
        &self,
        operation: Operation,
        request: &str,
        marker: Option<&str>,
        rows: Vec<(String, T)>,
    ) -> Result<Page<T>, AwsError> {
        let (size, starts_empty) = (self.settings().iam_page, self.settings().pages_start_empty);
        let request = format!("{} {request}", operation.as_str());
        let page = self.world.pages.borrow_mut().page(&request, marker, rows, size, starts_empty);
        page.or_else(|_| refused(operation, "ValidationError", "Invalid Marker."))
    }
}

impl Iam for AwsModel {
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError> {
        self.call(Operation::GetInstanceProfile, None, name.to_string(), || {
            let iam = self.iam_as_read();
            Ok(iam.profile(name).map(|profile| iam.shown(profile)))
        })
        .await
    }

    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError> {
        let operation = Operation::ListInstanceProfiles;
        self.call(operation, None, String::new(), || {
            let iam = self.iam_as_read();
            let rows = iam.profiles().map(|profile| (profile.id.to_string(), iam.shown(profile))).collect();
            self.iam_page(operation, "", marker, rows)
        })
        .await
    }

    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<ProfileName>, AwsError> {
        let operation = Operation::ListInstanceProfilesForRole;
        self.call(operation, None, role.to_string(), || {
            let iam = self.iam_as_read();
            let holds = |profile: &&ProfileRecord| profile.role.as_ref().is_some_and(|held| held.name == *role);
            let rows = iam.profiles().filter(holds).map(|p| (p.id.to_string(), p.arn.name().clone())).collect();
            self.iam_page(operation, role.as_str(), marker, rows)
        })
        .await
    }
}
