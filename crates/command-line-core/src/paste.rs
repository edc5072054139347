//! The `reprofile` commands that are printed to be pasted.
//!
//! Invariant: a command reaches the same account, regions and table as the process that printed it, and `heal` goes as far.
//! A shell takes each of its words as it was given.

use crate::options::{Access, LevelOption, RoleOptions, Selection};
use reprofile_core::alert::aws_cli;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::names::ProfileName;

/// What this process was given, to be given again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paste {
    names: Vec<String>,
    /// Those that every command takes.
    options: Vec<(&'static str, String)>,
    level: Option<String>,
    /// For `heal` of what was named.
    role: Option<String>,
    trust_anyway: bool,
}

impl Paste {
    /// Keeps the names and the options.
    #[must_use]
    pub fn of(names: &[String], access: &Access, selection: &Selection, level: &LevelOption) -> Self {
        let options = [
            ("--profile", &access.profile),
            ("--region", &access.region),
            ("--regions", &selection.regions),
            ("--ignore", &selection.ignore),
            ("--scope", &selection.scope),
            ("--table", &selection.table),
        ];
        let given = |(name, value): (&'static str, &Option<String>)| Some((name, value.clone()?));
        Self {
            names: names.to_vec(),
            options: options.into_iter().filter_map(given).collect(),
            level: level.level.clone(),
            role: None,
            trust_anyway: false,
        }
    }

    /// Keeps the role that was named as well.
    #[must_use]
    pub fn with_role(self, role: &RoleOptions) -> Self {
        Self { role: role.role.clone(), trust_anyway: role.trust_anyway, ..self }
    }

    /// `heal` of what was named.
    #[must_use]
    pub fn heal(&self) -> String {
        let trust_anyway = self.trust_anyway.then_some(("--trust-anyway", None));
        let role = self.role.as_deref().map(|role| ("--role", Some(role)));
        self.command("heal", &self.names, self.level().into_iter().chain(role).chain(trust_anyway))
    }

    /// `heal` of this profile alone.
    #[must_use]
    pub fn heal_profile(&self, profile: &ProfileName) -> String {
        self.command("heal", &[profile.to_string()], self.level())
    }

    /// `heal` of this profile at this level, with a role that is named where one has to be.
    #[must_use]
    pub fn heal_at(&self, profile: &ProfileName, level: Level, role: Option<&str>) -> String {
        let level = Some(level).filter(|level| *level != Level::Reassociate);
        let level = level.map(|level| ("--level", Some(level.as_str())));
        self.command("heal", &[profile.to_string()], level.into_iter().chain(role.map(|role| ("--role", Some(role)))))
    }

    /// `explain` of this name, which may be a word that is to be replaced by one.
    #[must_use]
    pub fn explain(&self, name: &str) -> String {
        self.command("explain", &[name.to_owned()], None)
    }

    /// `scan` of everything. What is broken is so at every level.
    #[must_use]
    pub fn scan(&self) -> String {
        self.command("scan", &[], None)
    }

    fn level(&self) -> Option<(&'static str, Option<&str>)> {
        self.level.as_deref().map(|level| ("--level", Some(level)))
    }

    /// `own` are the options of this command alone.
    fn command<'a>(
        &'a self,
        command: &str,
        names: &[String],
        own: impl IntoIterator<Item = (&'static str, Option<&'a str>)>,
    ) -> String {
        let mut words = vec!["reprofile".to_owned(), command.to_owned()];
        // A name that begins with a dash would pass for an option.
        let are_last = names.iter().any(|name| name.starts_with('-'));
        let mut names: Vec<String> = names.iter().map(|name| word(name)).collect();
        if !are_last {
            words.append(&mut names);
        }
        let options = self.options.iter().map(|(name, value)| (*name, Some(value.as_str())));
        for (name, value) in own.into_iter().chain(options) {
            match value {
                None => words.push(name.to_owned()),
                Some(value) if value.starts_with('-') => words.push(format!("{name}={}", word(value))),
                Some(value) => words.extend([name.to_owned(), word(value)]),
            }
        }
        if are_last {
            words.push("--".to_owned());
            words.append(&mut names);
        }
        words.join(" ")
    }
}

/// A text as one word of a shell: as it is, between quotes, or with escapes.
fn word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/_.,+:=@-".contains(&b);
    let is_quotable = |b: u8| (b' '..=b'~').contains(&b) && !b"'`".contains(&b);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else if text.bytes().all(is_quotable) {
        format!("'{text}'")
    } else {
        aws_cli::quote(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_through_a_shell_as_it_was_given() {
        for (text, expected) in [
            ("web-role", "web-role"),
            ("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/a"),
            ("web-*", "'web-*'"),
            ("eu-west-1 us-east-1", "'eu-west-1 us-east-1'"),
            ("", "''"),
            ("$(x)", "'$(x)'"),
            ("it's `x`\u{1b}", "$'it\\047s\\040\\140x\\140\\033'"),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn a_name_or_a_value_that_begins_with_a_dash_is_no_option() {
        let names = ["-web".to_owned()];
        let selection = Selection { table: Some("-t".to_owned()), ..Selection::default() };
        let level = LevelOption { level: Some("restore".to_owned()) };
        let paste = Paste::of(&names, &Access::default(), &selection, &level);
        assert_eq!(paste.heal(), "reprofile heal --level restore --table=-t -- -web");
        assert_eq!(paste.scan(), "reprofile scan --table=-t");
        let role = RoleOptions { role: Some("web-role".to_owned()), trust_anyway: true };
        let heal = "reprofile heal --level restore --role web-role --trust-anyway --table=-t -- -web";
        assert_eq!(paste.with_role(&role).heal(), heal);
    }
}
