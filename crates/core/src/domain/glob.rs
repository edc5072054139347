//! The globs of `REPROFILE_IGNORE` and `REPROFILE_SCOPE`.
//!
//! Invariant: matching is case-insensitive, as IAM's names are; `*` and `?` cross `/`.

use wildmatch::WildMatch;

use crate::domain::names::ProfileArn;

/// A list of globs. A glob that begins with `/` is compared with path and name, any other with the name alone.
#[derive(Debug, Clone)]
pub struct Globs(Vec<Glob>);

#[derive(Debug, Clone)]
struct Glob {
    against_path: bool,
    pattern: WildMatch,
}

impl Globs {
    /// The empty list, which matches no profile.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Parses globs separated by spaces. An empty text gives the empty list.
    ///
    /// # Errors
    /// The globs that can match no instance profile, because they have characters that no path and no name may have.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (good, bad): (Vec<_>, Vec<_>) = text.split_whitespace().partition(|word| Self::can_match(word));
        if bad.is_empty() {
            Ok(Self(good.into_iter().map(Glob::new).collect()))
        } else {
            Err(bad.into_iter().map(str::to_owned).collect())
        }
    }

    fn can_match(word: &str) -> bool {
        let in_name = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-*?".contains(&b);
        if word.starts_with('/') { word.bytes().all(|b| b.is_ascii_graphic()) } else { word.bytes().all(in_name) }
    }

    /// Whether at least one glob matches the profile.
    #[must_use]
    pub fn matches(&self, profile: &ProfileArn) -> bool {
        let name = profile.name().as_str();
        let path_and_name = format!("{}{name}", profile.path());
        self.0.iter().any(|glob| glob.pattern.matches(if glob.against_path { &path_and_name } else { name }))
    }
}

impl Glob {
    fn new(word: &str) -> Self {
        Self { against_path: word.starts_with('/'), pattern: WildMatch::new_case_insensitive(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(globs: &str, path_and_name: &str) -> bool {
        let arn = ProfileArn::parse(&format!("arn:aws:iam::111122223333:instance-profile{path_and_name}")).unwrap();
        Globs::parse(globs).unwrap().matches(&arn)
    }

    #[test]
    fn a_glob_with_a_slash_is_matched_against_path_and_name() {
        assert!(matches("/karpenter/*", "/karpenter/cluster_1"));
        assert!(matches("/karpenter/*", "/karpenter/a/b/cluster_1"));
        assert!(!matches("/karpenter/*", "/cluster_1"));
        assert!(!matches("karpenter*", "/karpenter/cluster_1"));
        assert!(matches("/web-?", "/web-1"));
    }

    #[test]
    fn a_glob_without_is_matched_against_the_name_in_any_case() {
        assert!(matches("WEB-*", "/app/web-role"));
        assert!(matches("x *role", "/web-Role"));
        assert!(!matches("web", "/web-role"));
        assert!(matches("*", "/anything"));
    }

    #[test]
    fn no_glob_matches_nothing() {
        assert!(!matches("", "/web-role"));
    }

    #[test]
    fn a_glob_that_can_match_nothing_is_an_error() {
        assert_eq!(Globs::parse("web-* app/x we[b]").unwrap_err(), ["app/x", "we[b]"]);
    }
}
