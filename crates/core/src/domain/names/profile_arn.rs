//! The ARN of an instance profile, with every part checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::arn::Arn;
use super::{AccountId, Malformed, Partition, Path, ProfileName};

/// The ARN of an instance profile: `arn:aws:iam::111122223333:instance-profile/app/web-role`. IAM builds it from the
/// account, the path and the name, so a profile that is created again with the same ones has the same ARN.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileArn {
    partition: Partition,
    account: AccountId,
    path: Path,
    name: ProfileName,
}

impl ProfileArn {
    /// Builds the ARN of a profile from its parts.
    #[must_use]
    pub fn new(partition: Partition, account: AccountId, path: Path, name: ProfileName) -> Self {
        Self { partition, account, path, name }
    }

    /// Parses an ARN. The name is the text after the last `/`; the path is everything between the kind and the name.
    ///
    /// # Errors
    /// [`Malformed`], where the text is not an ARN of an instance profile, or one of its parts is malformed.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const KIND: &str = "instance profile ARN";
        const RULE: &str = "it looks like arn:aws:iam::111122223333:instance-profile/path/name";
        let malformed = || Malformed::new(KIND, text, RULE);
        let arn = Arn::parse(text).map_err(|_| malformed())?;
        let ("iam", "", Some("instance-profile"), Some(path)) = (arn.service, arn.region, arn.kind(), arn.path())
        else {
            return Err(malformed());
        };
        Ok(Self {
            partition: Partition::new(arn.partition)?,
            account: AccountId::new(arn.account)?,
            path: Path::new(path)?,
            name: ProfileName::new(arn.name())?,
        })
    }

    /// The ARN of a profile in the same account, under another path and name.
    #[must_use]
    pub fn at(&self, path: &Path, name: &ProfileName) -> Self {
        Self { path: path.clone(), name: name.clone(), ..self.clone() }
    }

    /// The partition of the profile's account.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The account that owns the profile.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The profile's path, `/` where none was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The profile's name, without the path.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        &self.name
    }
}

impl fmt::Display for ProfileArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:instance-profile{}{}", self.partition, self.account, self.path, self.name)
    }
}

impl TryFrom<String> for ProfileArn {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        Self::parse(&text)
    }
}

impl From<ProfileArn> for String {
    fn from(arn: ProfileArn) -> Self {
        arn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_gives_back_its_path_and_name() {
        let text = "arn:aws-cn:iam::111122223333:instance-profile/a/b/web";
        let arn = ProfileArn::parse(text).unwrap();
        assert_eq!((arn.path().as_str(), arn.name().as_str()), ("/a/b/", "web"));
        assert_eq!(arn.to_string(), text);
        assert_eq!(ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/web").unwrap().path().as_str(), "/");
    }

    #[test]
    fn what_is_no_instance_profile_arn_is_refused() {
        for text in [
            "arn:aws:iam::111122223333:role/web",
            "arn:aws:iam::1:instance-profile/web",
            "arn:aws:iam:us-east-1:111122223333:instance-profile/web",
            "arn:aws:ec2::111122223333:instance-profile/web",
            "arn:aws:iam::111122223333:instance-profile",
            "arn:aws:iam::111122223333:instance-profile/",
            "arn:aws:iam::111122223333:instance-profile:app/web",
            "arn:aws:iam::111122223333:instance-profileweb/x y",
            "web",
        ] {
            assert!(ProfileArn::parse(text).is_err(), "{text}");
        }
    }
}
