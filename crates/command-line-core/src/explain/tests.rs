//! What is told apart in an explanation and nowhere else.

use super::levels::some;

#[test]
fn few_instances_are_named_and_many_are_counted() {
    let ids = |n: usize| (1..=n).map(|i| format!("i-{i}")).collect::<Vec<_>>();
    assert_eq!(some(&ids(1)), "i-1");
    assert_eq!(some(&ids(5)), "i-1, i-2, i-3, i-4 and i-5");
    assert_eq!(some(&ids(1200)), "i-1, i-2, i-3, i-4 and 1196 more");
}
