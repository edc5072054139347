//! An ARN, taken apart: `arn:partition:service:region:account:resource`.
//!
//! Invariant: the only place that splits ARNs. It checks the shape alone, because the ARNs of a policy may have
//! wildcards in any part; the checked types beside it check the parts.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use std::fmt;

use super::Malformed;

/// The parts of an ARN. The text `Display` gives is the text that was parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, …; never empty.
    pub partition: &'a str,
    /// The service's namespace, such as `iam`; never empty.
    pub service: &'a str,
    /// The region; empty for a global service, such as IAM.
    pub region: &'a str,
    /// The account id; empty for a resource without one, and `aws` for AWS's own policies.
    pub account: &'a str,
    /// The rest, which may hold further colons; never empty.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart.
    ///
    /// # Errors
    /// [`Malformed`], where the text does not begin with `arn`, has fewer than six parts, or lacks the partition, the
    /// service or the resource.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().unwrap_or_default();
        let (scheme, arn) =
            (part(), Self { partition: part(), service: part(), region: part(), account: part(), resource: part() });
        let is_whole = ![arn.partition, arn.service, arn.resource].contains(&"");
        if scheme == "arn" && is_whole {
            return Ok(arn);
        }
        Err(Malformed::new("ARN", text, "an ARN looks like arn:partition:service:region:account:resource"))
    }

    /// The kind of the resource, the text before its first `/`: `role` of `role/app/web`. `None` for a resource without
    /// a `/`, such as `root` or an SNS topic.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.resource.split_once('/').map(|(kind, _)| kind)
    }

    /// The name with its path, everything behind the kind: `app/web` of `role/app/web`. The whole resource, where it
    /// has no kind.
    #[must_use]
    pub fn path_and_name(&self) -> &'a str {
        self.resource.split_once('/').map_or(self.resource, |(_, rest)| rest)
    }

    /// The path, with the slashes around it: `/app/` of `role/app/web`, `/` of `role/web`. `None` for a resource
    /// without a `/`.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        Some(&self.resource[self.resource.find('/')?..=self.resource.rfind('/')?])
    }

    /// The name without its path, the text after the last `/`: `web` of `role/app/web`, and the session's name of an
    /// assumed role.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.resource.rsplit_once('/').map_or(self.resource, |(_, name)| name)
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> (Option<&str>, Option<&str>, &str) {
        let arn = Arn::parse(text).unwrap();
        assert_eq!(arn.to_string(), text);
        (arn.kind(), arn.path(), arn.name())
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in [
            "",
            "web",
            "arn",
            "arn:aws:iam::111122223333",
            "arn:aws:iam::111122223333:",
            "arn::iam::111122223333:role/web",
            "arn:aws:::111122223333:role/web",
            "ARN:aws:iam::111122223333:role/web",
            " arn:aws:iam::111122223333:role/web",
            "urn:aws:iam::111122223333:role/web",
        ] {
            assert!(Arn::parse(text).is_err(), "{text:?}");
        }
        insta::assert_snapshot!(
            Arn::parse("web").unwrap_err(),
            @r#""web" is no ARN: an ARN looks like arn:partition:service:region:account:resource"#
        );
    }

    #[test]
    fn every_partition_and_service_has_its_parts() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
            let text = format!("arn:{partition}:sns:us-east-1:111122223333:reprofile");
            let arn = Arn::parse(&text).unwrap();
            assert_eq!((arn.partition, arn.service, arn.region), (partition, "sns", "us-east-1"));
            assert_eq!((arn.account, arn.resource), ("111122223333", "reprofile"));
        }
    }

    #[test]
    fn iam_resources_have_a_kind_a_path_and_a_name() {
        let role = |rest: &str| format!("arn:aws:iam::111122223333:role{rest}");
        assert_eq!(parts(&role("/web")), (Some("role"), Some("/"), "web"));
        assert_eq!(parts(&role("/app/blue/web")), (Some("role"), Some("/app/blue/"), "web"));
        assert_eq!(parts("arn:aws:iam::111122223333:root"), (None, None, "root"));
        assert_eq!(parts("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess").2, "ViewOnlyAccess");
    }

    #[test]
    fn an_instance_is_named_by_its_id() {
        let text = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0";
        assert_eq!(parts(text), (Some("instance"), Some("/"), "i-0123456789abcdef0"));
    }

    #[test]
    fn an_assumed_role_is_named_by_its_session() {
        let text = "arn:aws:sts::111122223333:assumed-role/admin/alice@example.com";
        assert_eq!(parts(text), (Some("assumed-role"), Some("/admin/"), "alice@example.com"));
        assert_eq!(Arn::parse(text).unwrap().path_and_name(), "admin/alice@example.com");
    }

    #[test]
    fn colons_after_the_fifth_belong_to_the_resource() {
        let text = "arn:aws:lambda:us-east-1:111122223333:function:reprofile:live";
        assert_eq!(parts(text), (None, None, "function:reprofile:live"));
    }

    proptest! {
        #[test]
        fn an_arn_gives_its_text_back(
            [partition, service] in ["[a-z*-]{1,12}", "[a-z0-9-]{1,12}"],
            [region, account] in ["[a-z0-9-]{0,12}", "[0-9*]{0,12}"],
            resource in "[ -~]{1,40}",
        ) {
            let text = format!("arn:{partition}:{service}:{region}:{account}:{resource}");
            let arn = Arn::parse(&text).unwrap();
            let parts = [arn.partition, arn.service, arn.region, arn.account, arn.resource];
            prop_assert_eq!(parts, [&partition, &service, &region, &account, &resource].map(String::as_str));
            prop_assert_eq!(arn.to_string(), text);
        }

        #[test]
        fn kind_path_and_name_put_the_resource_together_again(resource in "[a-z:/]{1,20}") {
            let text = format!("arn:aws:iam::111122223333:{resource}");
            let arn = Arn::parse(&text).unwrap();
            let again = format!("{}{}{}", arn.kind().unwrap_or_default(), arn.path().unwrap_or_default(), arn.name());
            prop_assert_eq!(again, resource);
        }

        #[test]
        fn any_text_is_refused_or_given_back(text in "(arn)?[a-z:/ ]{0,30}|.{0,40}") {
            if let Ok(arn) = Arn::parse(&text) {
                prop_assert_eq!(arn.to_string(), text);
            }
        }
    }
}
