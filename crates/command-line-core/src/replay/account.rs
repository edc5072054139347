//! Whose a record is, where people may have hidden the number before they passed it on.
//!
//! Invariant: a number that can be read is never replaced unless that was asked for. Pure.

use reprofile_core::domain::names::AccountId;

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The account's.
    Of(AccountId),
    /// It does not say, in these words.
    Hidden(String),
}

/// What that means to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It is the caller's.
    Own,
    /// It is taken for the caller's; the text says why.
    TakenForOwn(String),
    /// It is another account's, as it is written.
    Another(String),
}

impl Whose {
    /// The first of these that can be read; else the first that is there.
    #[must_use]
    pub fn first<'a>(candidates: impl Iterator<Item = &'a str> + Clone) -> Self {
        let digits = |text: &str| text.replace(['-', ' '], "");
        let read = |text: &str| AccountId::new(&digits(text)).ok().filter(|id| id.as_str().bytes().any(|b| b != b'0'));
        match candidates.clone().find_map(read) {
            Some(account) => Self::Of(account),
            None => {
                Self::Hidden(candidates.map(str::trim).find(|text| !text.is_empty()).unwrap_or_default().to_owned())
            }
        }
    }

    /// What it is to the caller; with `any` every account is taken for the caller's.
    #[must_use]
    pub fn read(&self, caller: &AccountId, any: bool) -> Reading {
        match self {
            Self::Of(account) if account == caller => Reading::Own,
            Self::Of(account) if any => {
                Reading::TakenForOwn(format!("it is of account {account}, read as yours, {caller}"))
            }
            Self::Of(account) => Reading::Another(account.to_string()),
            Self::Hidden(text) if text == caller.as_str() => Reading::Own,
            Self::Hidden(text) if contradicts(text, caller) && !any => Reading::Another(text.clone()),
            Self::Hidden(text) if text.is_empty() => {
                Reading::TakenForOwn(format!("it has no account number, and is read as yours, {caller}"))
            }
            Self::Hidden(text) => {
                Reading::TakenForOwn(format!("its account number is hidden ({text:?}), and is read as yours, {caller}"))
            }
        }
    }
}

/// Whether digits that were left to be read are not the caller's. Zeros stand for hidden ones.
fn contradicts(hidden: &str, caller: &AccountId) -> bool {
    hidden.chars().count() == caller.as_str().len()
        && hidden
            .chars()
            .zip(caller.as_str().chars())
            .any(|(one, other)| one.is_ascii_digit() && one != '0' && one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(written: &[&str], any: bool) -> Reading {
        Whose::first(written.iter().copied()).read(&AccountId::new("111122223333").unwrap(), any)
    }

    #[test]
    fn a_number_that_can_be_read_goes_before_one_that_is_hidden() {
        assert_eq!(reading(&["111122223333"], false), Reading::Own);
        assert_eq!(reading(&["1111-2222-3333"], false), Reading::Own);
        assert_eq!(reading(&["xxxxxxxxxxxx", "111122223333"], false), Reading::Own);
        assert_eq!(reading(&["", "444455556666"], false), Reading::Another("444455556666".to_owned()));
    }

    #[test]
    fn a_hidden_number_is_read_as_the_callers_unless_what_is_left_of_it_is_anothers() {
        for written in ["xxxxxxxxxxxx", "000000000000", "000000000", "************", "REDACTED", "1111xxxxxxxx", ""] {
            assert!(matches!(reading(&[written], false), Reading::TakenForOwn(_)), "{written}");
        }
        assert!(matches!(reading(&[], false), Reading::TakenForOwn(_)));
        assert_eq!(reading(&["xxxxxxxx6666"], false), Reading::Another("xxxxxxxx6666".to_owned()));
    }

    #[test]
    fn any_account_is_read_as_the_callers_where_that_is_asked_for() {
        for written in ["444455556666", "xxxxxxxx6666"] {
            assert!(matches!(reading(&[written], true), Reading::TakenForOwn(_)), "{written}");
        }
        assert_eq!(reading(&["111122223333"], true), Reading::Own);
    }
}
