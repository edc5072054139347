"""The deployed function heals what the console, the CLI and people break, with no more permissions than its template gives.

Invariant: every test looks at EC2 and at the topic, never at what the function says of itself alone.
"""

import pytest

import deployment
from account import eventually

HOME, AWAY = "us-east-1", "eu-west-1"


def wait_until_healed(aws, instance, profile, region=HOME, seconds=30):
    eventually(lambda: aws.healed(instance, profile, region), seconds)


def test_the_consoles_delete_and_create_is_healed_in_two_regions_and_told(reprofile, name):
    aws, alice = reprofile.aws, reprofile.aws.user("alice")
    aws.console_create_role(name, user=alice)
    home = aws.run_instance(name, HOME, name="api-1")
    away = aws.run_instance(name, AWAY, name="api-2")
    old = aws.profile(name)["InstanceProfileId"]
    with reprofile.one_batch():
        aws.console_delete_role(name, user=alice)
        aws.console_create_role(name, user=alice)
        new = aws.profile(name)["InstanceProfileId"]
        assert aws.held(home)["Id"] == aws.held(away, AWAY)["Id"] == old != new  # the trap: EC2 shows the old id
    wait_until_healed(aws, home, name)
    wait_until_healed(aws, away, name, AWAY)
    assert aws.held(home)["Id"] == aws.held(away, AWAY)["Id"] == new

    alert = reprofile.alert(name, "HEALED")
    assert alert["subject"] == f"[Reprofile] HEALED {name}: 2 instances in 2 regions have their role back (111122223333)"
    attributes = alert["attributes"]
    assert (attributes["severity"], attributes["case"]) == ("info", "stale")
    assert (attributes["account"], attributes["profile"]) == ("111122223333", name)
    for part in (home, away, "api-1", "api-2", HOME, AWAY, old, new, "arn:aws:iam::111122223333:user/alice",
                 "DeleteInstanceProfile", "DeleteRole", "AWS console"):
        assert part in alert["message"]
    reprofile.until_idle()
    assert len(reprofile.alerts(name)) == 1


def test_a_profile_with_a_path_and_another_name_than_its_roles_is_healed(reprofile, name):
    aws, role = reprofile.aws, f"role-of-{name}"
    aws.create_profile(name, role, path="/app/web/")
    instance = aws.run_instance(name)
    aws.delete_profile(name)
    aws.create_profile(name, role, path="/app/web/")
    wait_until_healed(aws, instance, name)
    assert aws.held(instance)["Arn"] == f"arn:aws:iam::111122223333:instance-profile/app/web/{name}"
    assert role in reprofile.alert(name, "HEALED")["message"]


def test_a_profile_that_comes_back_under_another_path_is_healed_to_its_new_arn(reprofile, name):
    aws, role = reprofile.aws, f"role-of-{name}"
    aws.create_profile(name, role, path="/before/")
    instance = aws.run_instance(name)
    aws.delete_profile(name)
    aws.create_profile(name, role, path="/after/")
    wait_until_healed(aws, instance, name)
    assert aws.held(instance)["Arn"] == f"arn:aws:iam::111122223333:instance-profile/after/{name}"


def test_a_profile_deleted_for_good_is_told_and_nothing_is_written(reprofile, name):
    aws, mark = reprofile.aws, reprofile.aws.mark()
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    aws.console_delete_role(name)
    alert = reprofile.alert(name, "BROKEN")
    assert alert["attributes"]["severity"] == "critical"
    for part in (instance, "DeleteInstanceProfile",
                 f"aws iam create-instance-profile --region us-east-1 --instance-profile-name {name}"):
        assert part in alert["message"]
    reprofile.until_idle()
    assert reprofile.writes(mark) == []


def test_an_instance_that_is_not_affected_keeps_its_association(reprofile, name):
    aws, other = reprofile.aws, f"{name}-other"
    aws.console_create_role(name)
    aws.console_create_role(other)
    instance, bystander = aws.run_instance(name), aws.run_instance(other)
    [before] = aws.associations(bystander)
    aws.console_delete_role(name)
    aws.console_create_role(name)
    wait_until_healed(aws, instance, name)
    reprofile.until_idle()
    assert aws.associations(bystander) == [before]
    assert reprofile.alerts(other) == []


@pytest.mark.parametrize("code", ["InvalidParameterValue", "IncorrectState"])
def test_ec2_that_does_not_know_the_new_profile_yet_is_waited_for(reprofile, name, code):
    aws = reprofile.aws
    aws.settings(propagation_ms=2500, propagation_error=code)
    try:
        aws.create_profile(name, name)
        instance = eventually(lambda: launched(aws, name))
        mark = aws.mark()
        aws.delete_profile(name)
        aws.create_profile(name, name)
        wait_until_healed(aws, instance, name)
    finally:
        aws.settings(propagation_ms=0, propagation_error="InvalidParameterValue")
    refused = reprofile.calls(mark, action="ReplaceIamInstanceProfileAssociation", error=code)
    assert refused  # it was early
    assert instance in reprofile.alert(name, "HEALED")["message"]


def launched(aws, profile):
    """An instance, or None while EC2 does not know the profile."""
    ec2 = aws.client("ec2")
    try:
        return aws.run_instance(profile)
    except ec2.exceptions.ClientError:
        return None


def test_an_event_about_a_profile_that_nobody_uses_tells_nobody(reprofile, name):
    aws, mark = reprofile.aws, reprofile.aws.mark()
    aws.console_create_role(name)
    aws.console_delete_role(name)
    eventually(lambda: reprofile.looks(name, mark))
    reprofile.until_idle()
    assert reprofile.alerts(name) == []
    assert reprofile.writes(mark) == []


def test_250_instances_of_one_region_are_healed_within_ec2s_rate(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    fleet = aws.run_instances(name, 250)
    reprofile.until_idle()
    mark = aws.mark()
    aws.settings(event_copies=0)  # one event is enough, and makes one run
    aws.console_delete_role(name)
    aws.console_create_role(name)
    aws.settings(event_copies=1)
    reprofile.send(last_event(name))
    alert = reprofile.alert(name, seconds=120)
    assert alert["subject"] == f"[Reprofile] HEALED {name}: 250 instances in us-east-1 have their role back (111122223333)"
    live = aws.profile(name)["InstanceProfileId"]
    held = {row["InstanceId"]: row["IamInstanceProfile"]["Id"] for row in aws.associations()}
    assert {held[instance] for instance in fleet} == {live}
    assert [call["error"] for call in reprofile.calls(mark, error="FilterLimitExceeded")] == []
    read_back = [call for call in reprofile.calls(mark, action="DescribeIamInstanceProfileAssociations")
                 if call["parameters"]["Filter.1.Name"] == "instance-id"]
    assert len(read_back) >= 2  # 200 ids in a call, and the rest in another
    times = [call["time"] for call in reprofile.calls(mark, action="ReplaceIamInstanceProfileAssociation")]
    assert len(times) == 250
    # A bucket of 50 that fills with 5 a second. https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    for first in range(0, 200, 10):
        for last in range(first + 50, 250, 10):
            assert last - first + 1 <= 50 + 5 * (times[last] - times[first]) + 1


def last_event(profile):
    """The event of the console's last call when it creates a role."""
    event = deployment.PROJECT / "events/add-role-to-instance-profile.json"
    return event.read_text().replace("web-role", profile)


@pytest.mark.parametrize("tag, is_told", [("ignore", False), ("alert", True)])
def test_a_tag_on_the_instance_holds_it_back(reprofile, name, tag, is_told):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name, tags={"reprofile": tag})
    aws.console_delete_role(name)
    aws.console_create_role(name)
    if is_told:
        assert instance in reprofile.alert(name, "BROKEN")["message"]
    else:
        eventually(lambda: [one for one in reprofile.reports(name) if one["instances"]])
    reprofile.until_idle()
    assert not aws.healed(instance, name)
    assert bool(reprofile.alerts(name)) == is_told
