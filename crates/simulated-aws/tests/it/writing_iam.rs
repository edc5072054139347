//! Levels relink and restore: Reprofile repairs IAM late, seldom, and only where nobody else is at work on it.

use std::time::Duration;

use reprofile_core::domain::model::Trust;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::{Caller, Fault, Operation};

/// An account that a sweep has seen, with `app-role` in `/app/app-profile` on a running instance.
async fn seen(level: &str) -> Scenario {
    let given = Given::profile("/app/", "app-profile", "app-role").running("eu-west-1", "a");
    let mut scenario = given.level(level).deployed();
    // A changed trust policy makes Reprofile read the role with its tags.
    scenario.aws.update_assume_role_policy("app-role", Trust::Yes).unwrap();
    scenario.run_until_quiet(HOUR).await;
    scenario.sweep().await;
    scenario.aws.forget_calls();
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_re_created_role_is_put_back_into_its_profile_after_five_quiet_minutes() {
    let mut scenario = seen("relink").await;
    scenario.delete_role("app-profile", "app-role");
    scenario.run_for(MINUTE).await;
    scenario.aws.create_role("app-role").unwrap();
    scenario.run_for(4 * MINUTE).await;
    assert_eq!(scenario.aws.count(Operation::AddRoleToInstanceProfile), 0, "not in the heat");
    assert!(scenario.run_until_quiet(HOUR).await);
    assert!(scenario.is_whole("a"));
    assert_eq!(scenario.aws.count(Operation::AddRoleToInstanceProfile), 1);
    let last = scenario.last_message();
    assert!(last.subject.contains("HEALED"), "{:?}", scenario.subjects());
    assert!(last.body.contains("Reprofile put the role app-role back into the instance profile"), "{}", last.body);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_comes_back_after_days_is_put_back_into_its_profile() {
    let mut scenario = seen("relink").await.sweeping(HOUR);
    scenario.delete_role("app-profile", "app-role");
    scenario.run_for(40 * HOUR).await;
    scenario.aws.create_role("app-role").unwrap();
    scenario.run_for(30 * MINUTE).await;
    assert!(scenario.is_whole("a"), "{:?}", scenario.subjects());
    assert!(scenario.last_subject().contains("HEALED"), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_profile_is_restored_with_path_and_tags_and_instances_healed() {
    let mut scenario = seen("restore").await;
    scenario.delete_profile("app-profile", "app-role");
    assert!(scenario.run_until_quiet(2 * HOUR).await);
    assert!(scenario.is_whole("a"), "{:?}", scenario.subjects());
    assert_eq!(scenario.aws.association_of(&scenario.instance("a")).unwrap().arn.path().as_str(), "/app/");
    let told = scenario.aws.published();
    let last = &told.last().unwrap().message;
    assert!(last.subject.contains("HEALED"), "{:?}", scenario.subjects());
    let body = last.body.replace('\n', " ");
    assert!(body.contains("Import it into Terraform or CloudFormation"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_be_meant_to_stay_out_is_only_reported() {
    // The removed role still exists, or comes back without trust in EC2, or does not come back.
    for case in 0..3 {
        let mut scenario = seen("relink").await;
        scenario.aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        if case > 0 {
            scenario.aws.delete_role("app-role").unwrap();
        }
        if case == 1 {
            scenario.aws.create_role_with("/", "app-role", Trust::Unsure).unwrap();
        }
        scenario.run_for(2 * HOUR).await;
        assert_eq!(scenario.aws.count(Operation::AddRoleToInstanceProfile), 0, "case {case}");
        assert_eq!(scenario.subjects().len(), 1, "case {case}: {:?}", scenario.subjects());
        let body = &scenario.bodies()[0];
        assert!(body.contains("You have to act: the role app-role"), "case {case}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_to_read_the_role_is_reported_and_fails_no_message() {
    let mut scenario = seen("relink").await;
    scenario.aws.fail_all(Operation::GetRole, Fault::ACCESS_DENIED);
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    assert!(scenario.run_until_quiet(30 * HOUR).await);
    let failed = scenario.messages().into_iter().find(|message| message.subject.contains("FAILED"));
    assert!(failed.is_some_and(|message| message.body.contains("iam:GetRole")), "{:?}", scenario.subjects());
    assert!(scenario.aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn lower_levels_write_nothing_to_iam() {
    for level in ["alert", "reassociate", "relink"] {
        let mut scenario = seen(level).await;
        scenario.delete_profile("app-profile", "app-role");
        scenario.run_for(2 * HOUR).await;
        assert_eq!(scenario.aws.writes().len(), 0, "{level}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_not_created_again_under_a_path_that_is_ignored() {
    let mut scenario = seen("restore").await;
    scenario.delete_profile("app-profile", "app-role");
    scenario.create_profile("/karpenter/", "app-profile", "app-role");
    scenario.run_for(MINUTE).await;
    scenario.delete_profile("app-profile", "app-role");
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.aws.writes().len(), 0, "{:?}", scenario.aws.writes());
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_somebody_gave_another_role_is_left_alone() {
    let mut scenario = seen("restore").await;
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    scenario.run_for(2 * MINUTE).await;
    scenario.aws.create_role("other-role").unwrap();
    scenario.aws.add_role_to_instance_profile("app-profile", "other-role").unwrap();
    assert!(scenario.run_until_quiet(2 * HOUR).await);
    assert_eq!(scenario.aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_terraform_destroy_at_any_speed_causes_no_write() {
    for pause in [0, 1, 10, 44, 46, 100, 200, 290] {
        let mut scenario = seen("restore").await;
        let people = scenario.aws.by(Caller::terraform());
        let pause = Duration::from_secs(pause);
        people.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        scenario.run_for(pause).await;
        people.delete_instance_profile("app-profile").unwrap();
        scenario.run_for(pause).await;
        people.delete_role("app-role").unwrap();
        scenario.run_for(2 * HOUR).await;
        assert_eq!(scenario.aws.writes().len(), 0, "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_brake_stops_iam_writes_after_three_a_day_and_the_alert_names_it() {
    let mut scenario = seen("relink").await;
    for _ in 0..5 {
        scenario.delete_role("app-profile", "app-role");
        scenario.aws.create_role("app-role").unwrap();
        scenario.run_for(30 * MINUTE).await;
        if scenario.aws.live("app-profile").is_some() && scenario.aws.count(Operation::AddRoleToInstanceProfile) == 3 {
            scenario.aws.add_role_to_instance_profile("app-profile", "app-role").ok();
        }
    }
    assert_eq!(scenario.aws.count(Operation::AddRoleToInstanceProfile), 3);
    let told: Vec<String> =
        scenario.aws.published().into_iter().map(|one| one.message.body.replace('\n', " ")).collect();
    assert!(told.iter().any(|body| body.contains("REPROFILE_BRAKE")), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_a_restore_is_finished() {
    let mut kill = 0;
    loop {
        let mut scenario = seen("restore").await;
        scenario.delete_profile("app-profile", "app-role");
        scenario.aws.kill_at(kill);
        assert!(scenario.run_until_quiet(12 * HOUR).await, "kill {kill}");
        assert!(scenario.is_whole("a"), "kill {kill}: {:?}", scenario.subjects());
        assert!(scenario.last_subject().contains("HEALED"), "kill {kill}: {:?}", scenario.subjects());
        if !scenario.was_killed() {
            break;
        }
        kill += crate::kill_step();
    }
    assert!(kill > 50, "only {kill} points were tried");
}

#[tokio::test(start_paused = true)]
async fn sweeps_between_the_two_readings_do_not_begin_them_anew() {
    for (confirm, every) in [("300", 4 * MINUTE), ("3600", 30 * MINUTE)] {
        let given = Given::role("web-role").running("us-east-1", "a").level("relink");
        let mut scenario = given.variable("REPROFILE_CONFIRM_SECONDS", confirm).swept().await.sweeping(every);
        scenario.run_for(40 * MINUTE).await;
        scenario.delete_role("web-role", "web-role");
        scenario.run_for(5 * MINUTE).await;
        scenario.aws.create_role("web-role").unwrap();
        scenario.run_for(3 * HOUR).await;
        assert!(scenario.is_whole("a"), "{every:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_somebody_else_was_quicker_with_is_not_reported_as_ours() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").level("relink").swept().await;
    scenario.aws.create_role("new-role").unwrap();
    scenario.delete_role("web-role", "web-role");
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.create_role("web-role").unwrap();
    scenario.aws.just_before(Operation::AddRoleToInstanceProfile, |aws| {
        aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "new-role").unwrap();
    });
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.statuses().last().unwrap(), "RESOLVED");
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_that_had_no_effect_is_not_reported_as_ours() {
    // The second one hangs until the time of the invocation is over.
    for fault in [Fault::NoAnswer(Duration::from_secs(5)), Fault::Hangs] {
        let mut scenario = Given::role("web-role").running("us-east-1", "a").level("relink").swept().await;
        scenario.delete_role("web-role", "web-role");
        scenario.run_for(5 * MINUTE).await;
        scenario.aws.create_role("web-role").unwrap();
        scenario.aws.fail_all(Operation::AddRoleToInstanceProfile, fault);
        while scenario.aws.count(Operation::AddRoleToInstanceProfile) == 0 {
            scenario.run_for(MINUTE).await;
        }
        scenario.aws.mend();
        scenario.aws.delete_role("web-role").unwrap();
        scenario.run_for(HOUR).await;
        scenario.aws.by(Caller::terraform()).create_role("new-role").unwrap();
        scenario.aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "new-role").unwrap();
        scenario.run_for(3 * HOUR).await;
        assert!(scenario.aws.deeds().is_empty());
        assert_eq!(scenario.statuses().last().unwrap(), "RESOLVED");
    }
}
