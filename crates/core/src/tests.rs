//! One word for a variant: serde writes and reads the same word that strum prints.

use serde::Serialize;
use strum::VariantArray;

use crate::decide::plan::{Action, Level};
use crate::decide::report::Status;
use crate::domain::event::CallName;
use crate::domain::model::{Case, InstanceState};

/// The words of all variants, after a check that serde and strum have the same ones.
fn words<T: VariantArray + Serialize + Copy + Into<&'static str>>() -> Vec<&'static str> {
    let word = |&variant: &T| {
        let word: &'static str = variant.into();
        assert_eq!(serde_json::to_value(variant).unwrap(), word);
        word
    };
    T::VARIANTS.iter().map(word).collect()
}

#[test]
fn serde_and_strum_have_one_word_for_each_variant() {
    assert_eq!(words::<Action>(), ["replace", "swap", "associate"]);
    assert_eq!(words::<CallName>().len(), 7);
    assert_eq!(words::<Case>(), ["stale", "role-replaced", "role-less", "untrusted", "gone", "stuck", "healthy"]);
    assert_eq!(
        words::<InstanceState>(),
        ["pending", "running", "stopping", "stopped", "shutting-down", "terminated", "unknown"]
    );
    assert_eq!(words::<Level>(), ["alert", "reassociate", "relink", "restore"]);
    assert_eq!(words::<Status>(), ["UNUSED", "HEALTHY", "RESOLVED", "HEALED", "BROKEN", "FAILED"]);
}

#[test]
fn a_word_that_is_read_gives_its_variant_back() {
    for &level in Level::VARIANTS {
        assert_eq!(level.as_str().parse(), Ok(level));
    }
    for &call in CallName::ALL {
        assert_eq!(call.as_str().parse(), Ok(call));
    }
}
