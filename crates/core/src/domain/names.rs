//! Names and ids of AWS resources as checked types.
//!
//! Invariant: a value of a type in this module has passed the rule on the type's page of the AWS documentation, so no
//! other code checks it again. IAM compares names without regard to case; ids are compared letter by letter.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

mod any_case;
mod arn;
mod profile_arn;

use std::fmt;

use serde::{Deserialize, Serialize};

use any_case::AnyCase;
pub use arn::Arn;
pub use profile_arn::ProfileArn;

/// A text that is not a well-formed name, id or ARN of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct Malformed {
    /// The kind of name, id or ARN that was expected, such as `role name`.
    pub kind: &'static str,
    /// The refused text, cut to 80 characters.
    pub text: String,
    /// The rule that the text breaks, for people to read.
    pub rule: &'static str,
}

impl Malformed {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(80).collect(), rule }
    }
}

/// Defines a text type that can only be made from a text that passes `check`. The text is kept in a `String`, which is
/// compared letter by letter, or in an [`AnyCase`].
macro_rules! checked {
    ($(#[$attribute:meta])* $name:ident($text:ty), $kind:literal, $rule:literal, $check:expr) => {
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($text);

        impl $name {
            #[doc = concat!("Checks that a text is a well-formed ", $kind, ".")]
            ///
            /// # Errors
            /// [`Malformed`], with the rule that the text breaks.
            pub fn new(text: &str) -> Result<Self, Malformed> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(Malformed::new($kind, text, $rule)) }
            }

            /// The text as it was written, in its own case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_ref()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
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
                name.0.into()
            }
        }
    };
}

checked!(
    /// The id of an AWS account: twelve digits.
    /// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html>
    AccountId(String), "account id", "an account id is 12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);
checked!(
    /// A partition, the group of regions that an account belongs to: `aws`, `aws-cn`, `aws-us-gov`, …
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
    Partition(String), "partition", "a partition is aws, aws-cn, aws-us-gov or the like",
    |text| text.starts_with("aws") && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
);
checked!(
    /// The name of a region, such as `eu-west-1`: 3 to 32 of `a-z 0-9 -`, with at least one hyphen.
    Region(String), "region", "a region looks like eu-west-1",
    |text| (3..=32).contains(&text.len())
        && text.contains('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
checked!(
    /// The name of an instance profile: at most 128 characters, compared without regard to case.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
    ProfileName(AnyCase), "instance profile name", "1 to 128 of A-Z a-z 0-9 _ + = , . @ -", |text| is_iam_name(text, 128)
);
checked!(
    /// The name of a role: at most 64 characters, compared without regard to case.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
    RoleName(AnyCase), "role name", "1 to 64 of A-Z a-z 0-9 _ + = , . @ -", |text| is_iam_name(text, 64)
);
checked!(
    /// The unique id of an instance profile (`AIPA…`). A profile that is created again under its name gets a new id.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
    ProfileId(String), "instance profile id", "AIPA and 12 or more letters and digits", is_iam_id
);
checked!(
    /// The unique id of a role (`AROA…`). A role that is created again under its name gets a new id.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
    RoleId(String), "role id", "AROA and 12 or more letters and digits", is_iam_id
);
checked!(
    /// The id of an EC2 instance: `i-` and 8 to 32 hexadecimal digits in lower case.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
    InstanceId(String), "instance id", "an instance id looks like i-0123456789abcdef0", |text| is_hex_id(text, "i-")
);
checked!(
    /// The id of an association between an instance and an instance profile: `iip-assoc-` and hexadecimal digits.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
    AssociationId(String), "association id", "an association id looks like iip-assoc-0123456789abcdef0",
    |text| is_hex_id(text, "iip-assoc-")
);
checked!(
    /// The path of an instance profile or role: `/` where none was given, otherwise such as `/app/`.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
    Path(String), "path", "a path begins and ends with / and has at most 512 characters of ! to ~", is_path
);

impl Path {
    /// The path `/`, which IAM gives to a profile or role that was created without one.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }
}

/// Whether the text has 1 to `longest` characters of `[\w+=,.@-]`, the pattern of the IAM API reference.
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

/// Whether the text begins and ends with `/`, with any ASCII from `!` to DEL between.
fn is_path(text: &str) -> bool {
    text.len() <= 512
        && text.starts_with('/')
        && text.ends_with('/')
        && text.bytes().all(|b| (0x21..=0x7f).contains(&b))
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
    fn ids_and_paths_compare_letter_by_letter() {
        let id = |text| ProfileId::new(text).unwrap();
        assert_ne!(id("AIPAEXAMPLE1111111111"), id("aipaexample1111111111"));
        assert_ne!(Path::new("/App/").unwrap(), Path::new("/app/").unwrap());
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
