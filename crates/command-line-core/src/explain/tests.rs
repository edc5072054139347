//! What is told apart in an explanation and nowhere else.

use super::explanation::letter;
use super::levels::some;
use reprofile_core::domain::model::Case;

#[test]
fn few_instances_are_named_and_many_are_counted() {
    let ids = |n: usize| (1..=n).map(|i| format!("i-{i}")).collect::<Vec<_>>();
    assert_eq!(some(&ids(1)), "i-1");
    assert_eq!(some(&ids(5)), "i-1, i-2, i-3, i-4 and i-5");
    assert_eq!(some(&ids(1200)), "i-1, i-2, i-3, i-4 and 1196 more");
}

#[test]
fn every_case_but_healthy_has_the_letter_of_the_documentation() {
    let cases =
        [Case::Stale, Case::RoleReplaced, Case::RoleLess, Case::Untrusted, Case::Gone, Case::Stuck, Case::Healthy]
            .map(letter);
    assert_eq!(cases, [Some('A'), Some('B'), Some('C'), Some('D'), Some('E'), Some('F'), None]);
}
