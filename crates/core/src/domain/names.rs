//! Names and ids of AWS's things as checked types: what is made is well-formed, so no one checks again.
//!
//! Invariant: a value of a type in this file has passed the rule that its page of the AWS documentation states. IAM
//! names compare case-insensitively ("names are not distinguished by case"), ids to the letter.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A text that is no name or id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct Malformed {
    /// What the text should have been.
    pub kind: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
    /// What is allowed.
    pub rule: &'static str,
}

impl Malformed {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(80).collect(), rule }
    }
}

/// What `[\w+=,.@-]` of the IAM API reference stands for.
fn is_iam_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

fn is_hex_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|hex| {
        (8..=32).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn is_iam_id(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A path begins and ends with `/`; between them stands any ASCII from `!` to DEL.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
fn is_path(text: &str) -> bool {
    text.len() <= 512
        && text.starts_with('/')
        && text.ends_with('/')
        && text.bytes().all(|b| (0x21..=0x7f).contains(&b))
}

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Takes a text that is a well-formed ", $kind, ".")]
            ///
            /// # Errors
            /// [`Malformed`], saying what is allowed.
            pub fn new(text: &str) -> Result<Self, Malformed> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(Malformed::new($kind, text, $rule)) }
            }

            /// The text as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

macro_rules! exact {
    ($($name:ident),*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.cmp(&other.0)
            }
        }
    )*};
}

macro_rules! case_insensitive {
    ($($name:ident),*) => {$(
        impl $name {
            fn lower(&self) -> impl Iterator<Item = u8> + '_ {
                self.0.bytes().map(|b| b.to_ascii_lowercase())
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.lower().for_each(|b| state.write_u8(b));
                state.write_u8(0xff);
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.lower().cmp(other.lower())
            }
        }
    )*};
}

checked!(
    /// An AWS account: twelve digits.
    AccountId, "account id", "an account id is 12 digits", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
checked!(
    /// A partition: `aws`, `aws-cn`, `aws-us-gov`, …
    Partition, "partition", "a partition is aws, aws-cn, aws-us-gov or the like",
    |t| t.starts_with("aws") && t.len() <= 32 && t.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
);
checked!(
    /// A region, such as `eu-west-1`.
    Region, "region", "a region looks like eu-west-1",
    |t| (3..=32).contains(&t.len())
        && t.contains('-')
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
checked!(
    /// The name of an instance profile, at most 128 characters; compared case-insensitively.
    ProfileName, "instance profile name", "1 to 128 of A-Z a-z 0-9 _ + = , . @ -", |t| is_iam_name(t, 128)
);
checked!(
    /// The name of a role, at most 64 characters; compared case-insensitively.
    RoleName, "role name", "1 to 64 of A-Z a-z 0-9 _ + = , . @ -", |t| is_iam_name(t, 64)
);
checked!(
    /// The unique id of an instance profile (`AIPA…`): another one each time a profile of the name is created.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
    ProfileId, "instance profile id", "AIPA and 12 or more letters and digits", is_iam_id
);
checked!(
    /// The unique id of a role (`AROA…`).
    RoleId, "role id", "AROA and 12 or more letters and digits", is_iam_id
);
checked!(
    /// An EC2 instance, `i-` and hexadecimal digits.
    InstanceId, "instance id", "an instance id looks like i-0123456789abcdef0", |t| is_hex_id(t, "i-")
);
checked!(
    /// What ties an instance to an instance profile, `iip-assoc-…`.
    AssociationId, "association id", "an association id looks like iip-assoc-0123456789abcdef0",
    |t| is_hex_id(t, "iip-assoc-")
);
checked!(
    /// An IAM path: `/`, or `/app/`.
    Path, "path", "a path begins and ends with / and has at most 512 characters of ! to ~", is_path
);
exact!(AccountId, Partition, Region, ProfileId, RoleId, InstanceId, AssociationId, Path);
case_insensitive!(ProfileName, RoleName);

impl Path {
    /// The path of what was given none.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }
}

/// The ARN of an instance profile: `arn:aws:iam::111122223333:instance-profile/app/web-role`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileArn {
    partition: Partition,
    account: AccountId,
    path: Path,
    name: ProfileName,
}

impl ProfileArn {
    /// Puts an ARN together.
    #[must_use]
    pub fn new(partition: Partition, account: AccountId, path: Path, name: ProfileName) -> Self {
        Self { partition, account, path, name }
    }

    /// Reads an ARN; the name is its last segment, the path all before.
    ///
    /// # Errors
    /// [`Malformed`] where it is no ARN of an instance profile.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const KIND: &str = "instance profile ARN";
        const RULE: &str = "it looks like arn:aws:iam::111122223333:instance-profile/path/name";
        let malformed = || Malformed::new(KIND, text, RULE);
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let path_and_name = resource.strip_prefix("instance-profile").ok_or_else(malformed)?;
        let (path, name) = path_and_name.split_at(path_and_name.rfind('/').ok_or_else(malformed)? + 1);
        Ok(Self {
            partition: Partition::new(partition)?,
            account: AccountId::new(account)?,
            path: Path::new(path)?,
            name: ProfileName::new(name)?,
        })
    }

    /// The ARN of a profile of the same account under another path and name.
    #[must_use]
    pub fn at(&self, path: &Path, name: &ProfileName) -> Self {
        Self { path: path.clone(), name: name.clone(), ..self.clone() }
    }

    /// The partition that the profile is in.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The account that the profile is in.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The path, `/` where none was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name without the path.
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
    fn names_compare_without_case_and_keep_their_spelling() {
        let a = ProfileName::new("Web-Role").unwrap();
        let b = ProfileName::new("web-role").unwrap();
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "Web-Role");
        let set = std::collections::HashSet::from([a]);
        assert!(set.contains(&b));
    }

    #[test]
    fn a_name_that_could_break_a_command_or_a_filter_is_refused() {
        for text in ["", "a b", "a/b", "a*", "a\nb", "$(rm)", "é", &"x".repeat(129)] {
            assert!(ProfileName::new(text).is_err(), "{text:?}");
        }
        assert!(ProfileName::new(&"x".repeat(128)).is_ok());
        assert!(RoleName::new(&"x".repeat(65)).is_err());
    }

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
            "arn:aws:iam::111122223333:instance-profile",
            "arn:aws:iam::111122223333:instance-profile/",
            "arn:aws:iam::111122223333:instance-profileweb/x y",
            "web",
        ] {
            assert!(ProfileArn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ids_are_checked() {
        assert!(InstanceId::new("i-0123456789abcdef0").is_ok());
        assert!(InstanceId::new("i-0123456789ABCDEF0").is_err());
        assert!(InstanceId::new("i-").is_err());
        assert!(AssociationId::new("iip-assoc-0123456789abcdef0").is_ok());
        assert!(AccountId::new("11112222333").is_err());
        assert!(Region::new("eu-west-1").is_ok());
        assert!(Region::new("EU").is_err());
    }
}
