//! One name that people type: an instance, an instance profile, a role or a glob. Pure.
//!
//! Invariant: what is none of these is an error that lists what may be named.

use crate::error::Error;
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::names::{Arn, InstanceId, Path, ProfileArn, ProfileName, Region, RoleName};

/// One thing that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An instance, in this region where an ARN says so.
    Instance(InstanceId, Option<Region>),
    /// A profile, at this path where one was given.
    Profile(ProfileName, Option<Path>),
    /// A role, which stands for the profiles that it is in.
    Role(RoleName),
    /// A glob of profiles.
    Glob(String),
}

/// Where an ARN says that something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) arn: String,
    pub(super) partition: String,
    pub(super) account: String,
}

impl Subject {
    /// Reads a name, a path, an ARN or a glob.
    ///
    /// # Errors
    /// What is none of these.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(parse(text)?.0)
    }
}

/// The subject, and where its ARN says that it is.
pub(super) fn parse(text: &str) -> Result<(Subject, Option<Owner>), Error> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::Argument(format!(
            "{why}; name an instance (i-0123456789abcdef0), an instance profile, a path and name (/app/web), an ARN of \
             these or of a role, or a glob (web-*)"
        ))
    };
    if text.starts_with("arn:") {
        let arn = Arn::parse(text).map_err(|error| wrong(&error))?;
        let owner =
            Owner { arn: text.to_owned(), partition: arn.partition.to_owned(), account: arn.account.to_owned() };
        let subject = match (arn.service, arn.kind()) {
            ("ec2", Some("instance")) => Subject::Instance(
                InstanceId::new(arn.name()).map_err(|error| wrong(&error))?,
                Some(Region::new(arn.region).map_err(|error| wrong(&error))?),
            ),
            ("iam", Some("instance-profile")) => {
                let arn = ProfileArn::parse(text).map_err(|error| wrong(&error))?;
                Subject::Profile(arn.name().clone(), Some(arn.path().clone()))
            }
            ("iam", Some("role")) => Subject::Role(RoleName::new(arn.name()).map_err(|error| wrong(&error))?),
            ("sts", Some("assumed-role")) => {
                let role = arn.path_and_name().split('/').next().unwrap_or_default();
                Subject::Role(RoleName::new(role).map_err(|error| wrong(&error))?)
            }
            _ => return Err(wrong(&format!("{text:?} is no ARN of an instance, an instance profile or a role"))),
        };
        return Ok((subject, Some(owner)));
    }
    if text.contains(['*', '?']) {
        Globs::parse(text).map_err(|_| wrong(&format!("{text:?} is no glob of instance profiles")))?;
        return Ok((Subject::Glob(text.to_owned()), None));
    }
    if text.strip_prefix("i-").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit())) {
        let id = InstanceId::new(&text.to_ascii_lowercase()).map_err(|error| wrong(&error))?;
        return Ok((Subject::Instance(id, None), None));
    }
    let (path, name) = match text.rfind('/') {
        Some(at) if text.starts_with('/') => {
            let (path, name) = text.split_at(at + 1);
            (Some(Path::new(path).map_err(|error| wrong(&error))?), name)
        }
        _ => (None, text),
    };
    let name = ProfileName::new(name).map_err(|error| wrong(&error))?;
    Ok((Subject::Profile(name, path), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_arns_and_globs_are_told_apart() {
        let instance = |text| InstanceId::new(text).unwrap();
        let profile = |text, path: Option<&str>| {
            Subject::Profile(ProfileName::new(text).unwrap(), path.map(|path| Path::new(path).unwrap()))
        };
        let role = |text| Subject::Role(RoleName::new(text).unwrap());
        let id = "i-0123456789abcdef0";
        for (text, expected) in [
            (id, Subject::Instance(instance(id), None)),
            ("i-0123456789ABCDEF0", Subject::Instance(instance(id), None)),
            (
                "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0",
                Subject::Instance(instance(id), Some(Region::new("eu-west-1").unwrap())),
            ),
            ("web-role", profile("web-role", None)),
            ("i-love-ec2", profile("i-love-ec2", None)),
            ("/app/web", profile("web", Some("/app/"))),
            ("/web", profile("web", Some("/"))),
            ("arn:aws:iam::111122223333:instance-profile/app/web", profile("web", Some("/app/"))),
            ("arn:aws:iam::111122223333:role/app/web-role", role("web-role")),
            ("arn:aws:sts::111122223333:assumed-role/web-role/i-0123456789abcdef0", role("web-role")),
            ("web-*", Subject::Glob("web-*".to_owned())),
        ] {
            assert_eq!(Subject::parse(text).unwrap(), expected, "{text}");
        }
        for text in
            ["", "i-", "i-12", "a b", "a/b", "/app/", "[x]*", "arn:aws:s3:::bucket", "arn:aws:ec2:eu-west-1:1:vpc/x"]
        {
            assert!(Subject::parse(text).is_err(), "{text:?}");
        }
    }
}
