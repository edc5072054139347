"""EC2's associations, filters and pages as strict as AWS."""

import datetime
import time

import pytest
from botocore.exceptions import ClientError

from account import ACCOUNT, eventually

REGION = "eu-west-1"


@pytest.fixture
def ec2(aws):
    return aws.client("ec2", REGION)


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def association_of(aws, instance):
    return eventually(lambda: [row for row in aws.associations(instance, REGION) if row["State"] == "associated"])[0]


def recreated(aws, name):
    """An instance whose profile has been deleted and created again."""
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    old = association_of(aws, instance)
    aws.console_delete_role(name)
    aws.console_create_role(name)
    return instance, old


def found(ec2, filters):
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": key, "Values": values} for key, values in filters.items()])
    return [instance["InstanceId"] for page in pages for reservation in page["Reservations"]
            for instance in reservation["Instances"]]


def test_a_re_created_profile_leaves_the_old_id_standing(aws, ec2, name):
    instance, old = recreated(aws, name)
    live = aws.profile(name)
    assert live["InstanceProfileId"] != old["IamInstanceProfile"]["Id"]
    assert aws.held(instance, REGION) == old["IamInstanceProfile"]
    assert aws.associations(instance, REGION) == [old]
    assert not aws.healed(instance, name, REGION)


def test_replace_makes_a_new_association_and_takes_its_time(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(association_ms=1000)
    new = ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})["IamInstanceProfileAssociation"]
    assert new["AssociationId"] != old["AssociationId"] and new["State"] == "associating"
    states = {row["AssociationId"]: row["State"] for row in aws.associations(instance, REGION)}
    assert states == {old["AssociationId"]: "disassociating", new["AssociationId"]: "associating"}
    eventually(lambda: aws.healed(instance, name, REGION))
    assert [row["AssociationId"] for row in aws.associations(instance, REGION)] == [new["AssociationId"]]
    assert aws.held(instance, REGION)["Id"] == aws.profile(name)["InstanceProfileId"]


def test_replace_with_the_same_profile_changes_nothing(aws, ec2, name):
    aws.console_create_role(name)
    old = association_of(aws, aws.run_instance(name, REGION))
    same = ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})["IamInstanceProfileAssociation"]
    assert (same["AssociationId"], same["State"]) == (old["AssociationId"], "associated")


@pytest.mark.parametrize("state", ["stopped", "pending", "stopping", "shutting-down"])
def test_replace_wants_a_running_instance(aws, ec2, name, state):
    instance, old = recreated(aws, name)
    aws.force_instance(instance, REGION, state)
    message = refused("IncorrectState", ec2.replace_iam_instance_profile_association,
                      AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})
    assert message == f"The association {old['AssociationId']} is not the active association"
    assert aws.held(instance, REGION) == old["IamInstanceProfile"]


def test_a_stopped_instance_is_switched_by_disassociate_and_associate(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(association_ms=1000)
    ec2.stop_instances(InstanceIds=[instance])
    gone = ec2.disassociate_iam_instance_profile(AssociationId=old["AssociationId"])
    assert gone["IamInstanceProfileAssociation"]["State"] == "disassociating"
    assert refused("IncorrectState", ec2.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={
        "Name": name}) == f"There is an existing association for instance {instance}"
    eventually(lambda: aws.associations(instance, REGION) == [])
    assert aws.held(instance, REGION) is None
    ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": name})
    eventually(lambda: aws.healed(instance, name, REGION))


def test_associate_twice_is_refused_even_for_the_same_profile(aws, ec2, name):
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    message = refused("IncorrectState", ec2.associate_iam_instance_profile,
                      InstanceId=instance, IamInstanceProfile={"Name": name})
    assert message == f"There is an existing association for instance {instance}"


@pytest.mark.parametrize("state", ["pending", "stopping", "shutting-down", "terminated"])
def test_associate_and_disassociate_want_a_running_or_stopped_instance(aws, ec2, name, state):
    aws.console_create_role(name)
    bare, attached = aws.run_instance(None, REGION), aws.run_instance(name, REGION)
    association = association_of(aws, attached)["AssociationId"]
    for instance in (bare, attached):
        aws.force_instance(instance, REGION, state)
    refused("IncorrectInstanceState", ec2.associate_iam_instance_profile,
            InstanceId=bare, IamInstanceProfile={"Name": name})
    refused("InvalidAssociationID.NotFound" if state == "terminated" else "IncorrectInstanceState",
            ec2.disassociate_iam_instance_profile, AssociationId=association)


def test_an_unknown_association_is_refused(aws, ec2, name):
    aws.console_create_role(name)
    unknown = "iip-assoc-0123456789abcdef0"
    refused("InvalidAssociationID.NotFound", ec2.disassociate_iam_instance_profile, AssociationId=unknown)
    refused("InvalidAssociationID.NotFound", ec2.replace_iam_instance_profile_association,
            AssociationId=unknown, IamInstanceProfile={"Name": name})


def test_the_association_replaced_is_gone(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(association_ms=1000)
    switch = {"AssociationId": old["AssociationId"], "IamInstanceProfile": {"Name": name}}
    ec2.replace_iam_instance_profile_association(**switch)
    refused("IncorrectState", ec2.replace_iam_instance_profile_association, **switch)
    eventually(lambda: aws.healed(instance, name, REGION))
    refused("InvalidAssociationID.NotFound", ec2.replace_iam_instance_profile_association, **switch)


def test_an_association_on_its_way_in_cannot_be_replaced_yet(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.console_create_role(f"{name}-other")
    aws.settings(association_ms=60_000)
    new = ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})["IamInstanceProfileAssociation"]
    message = refused("IncorrectState", ec2.replace_iam_instance_profile_association,
                      AssociationId=new["AssociationId"], IamInstanceProfile={"Name": f"{name}-other"})
    assert message == f"The association {new['AssociationId']} is not the active association"


def test_an_association_that_is_kept_associating_says_since_when_and_a_swap_ends_it(aws, ec2, name):
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    old = association_of(aws, instance)
    aws.keep_associating(instance, REGION, since_seconds=3600)
    [kept] = aws.associations(instance, REGION)
    assert (kept["AssociationId"], kept["State"]) == (old["AssociationId"], "associating")
    assert 3500 < (datetime.datetime.now(datetime.UTC) - kept["Timestamp"]).total_seconds() < 3700
    refused("IncorrectState", ec2.replace_iam_instance_profile_association,
            AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})
    ec2.disassociate_iam_instance_profile(AssociationId=old["AssociationId"])
    eventually(lambda: aws.associations(instance, REGION) == [])
    ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": name})
    assert association_of(aws, instance)["AssociationId"] != old["AssociationId"]


def test_an_instance_may_be_kept_associating_for_a_time_or_always(aws, ec2, name):
    aws.console_create_role(name)
    a_while, always = aws.run_instances(name, 2, REGION)
    aws.keep_associating(a_while, REGION, seconds=1)
    aws.keep_associating(always, REGION, always=True)
    assert [row["State"] for row in aws.associations(a_while, REGION)] == ["associating"]
    association_of(aws, a_while)
    [stuck] = aws.associations(always, REGION)
    ec2.disassociate_iam_instance_profile(AssociationId=stuck["AssociationId"])
    eventually(lambda: aws.associations(always, REGION) == [])
    ec2.associate_iam_instance_profile(InstanceId=always, IamInstanceProfile={"Name": name})
    time.sleep(0.5)  # longer than an association takes by default
    assert [row["State"] for row in aws.associations(always, REGION)] == ["associating"]


def test_an_association_may_have_no_timestamp(aws, ec2, name):
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    assert "Timestamp" in aws.associations(instance, REGION)[0]
    aws.settings(association_timestamps=False)
    assert "Timestamp" not in aws.associations(instance, REGION)[0]


def test_a_terminated_instance_has_no_association(aws, ec2, name):
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    ec2.terminate_instances(InstanceIds=[instance])
    assert aws.associations(instance, REGION) == []


def test_a_profile_just_created_is_unknown_to_ec2_for_a_while(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(propagation_ms=60_000)
    switch = {"AssociationId": old["AssociationId"], "IamInstanceProfile": {"Name": name}}
    message = refused("InvalidParameterValue", ec2.replace_iam_instance_profile_association, **switch)
    assert message == (f"Value ({name}) for parameter iamInstanceProfile.name is invalid. "
                       "Invalid IAM Instance Profile name")
    aws.settings(propagation_ms=0)
    ec2.replace_iam_instance_profile_association(**switch)


def test_a_profile_just_created_may_be_unknown_under_another_code(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(propagation_ms=60_000, propagation_error="IncorrectState")
    switch = {"AssociationId": old["AssociationId"], "IamInstanceProfile": {"Name": name}}
    message = refused("IncorrectState", ec2.replace_iam_instance_profile_association, **switch)
    assert f"InstanceIdentityProfileNotFound, Message=InstanceIdentityProfile not found for the key: {ACCOUNT}/{name}" in message
    nobody = {**switch, "IamInstanceProfile": {"Name": "nobody-made-this"}}
    refused("InvalidParameterValue", ec2.replace_iam_instance_profile_association, **nobody)
    aws.settings(propagation_ms=0)
    ec2.replace_iam_instance_profile_association(**switch)


def test_a_replace_may_go_on_showing_the_old_id(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.settings(stale_replace_ms=60_000)
    ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})
    eventually(lambda: [row["State"] for row in aws.associations(instance, REGION)] == ["associated"])
    assert aws.held(instance, REGION) == old["IamInstanceProfile"]


def test_a_profile_without_role_is_refused(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    message = refused("InvalidParameterValue", ec2.replace_iam_instance_profile_association,
                      AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})
    assert message.endswith("has no associated IAM Roles")


def test_a_launch_with_a_profile_that_is_not_there_is_refused(aws, ec2):
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        aws.run_instance("nobody-made-this", REGION)


def test_an_operators_instance_is_shown_as_such_and_changed_by_nobody(aws, ec2, name):
    instance, old = recreated(aws, name)
    aws.force_instance(instance, REGION, operator_managed=True)
    shown = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert shown["Operator"]["Managed"] is True
    refused("OperationNotPermitted", ec2.replace_iam_instance_profile_association,
            AssociationId=old["AssociationId"], IamInstanceProfile={"Name": name})


# ----------------------------------------------------------------------------------------------- filters and pages


def test_instances_are_filtered_by_the_profile_they_hold(aws, ec2, name):
    instance, old = recreated(aws, name)
    second = aws.run_instance(name, REGION)
    aws.console_create_role(f"{name}-other")
    third = aws.run_instance(f"{name}-other", REGION)
    arn, stale = old["IamInstanceProfile"]["Arn"], old["IamInstanceProfile"]["Id"]
    assert found(ec2, {"iam-instance-profile.id": [stale]}) == [instance]
    assert set(found(ec2, {"iam-instance-profile.arn": [arn]})) == {instance, second}
    assert set(found(ec2, {"iam-instance-profile.id": [stale[:-4] + "*"]})) == {instance}
    both = {"iam-instance-profile.arn": [arn, f"{arn}-other"]}
    assert set(found(ec2, both)) == {instance, second, third}
    for value in (arn.upper(), f"{arn}*", arn.replace("name-", "nam?-"), arn.replace("name-", "Name-")):
        assert found(ec2, {"iam-instance-profile.arn": [value]}) == [], value
    ec2.terminate_instances(InstanceIds=[second])
    eventually(lambda: aws.held(second, REGION) is None)
    assert found(ec2, {"iam-instance-profile.arn": [arn]}) == [instance]


def test_the_profile_filter_may_select_after_paging_and_finds_the_same(aws, ec2, name):
    aws.console_create_role(name)
    aws.run_instances(None, 12, REGION)
    holders = aws.run_instances(name, 2, REGION)
    filters = {"iam-instance-profile.arn": [aws.profile(name)["Arn"]], "instance-state-name": ["running"]}
    asked = {"Filters": [{"Name": key, "Values": values} for key, values in filters.items()], "MaxResults": 5}
    assert len(ec2.describe_instances(**asked)["Reservations"]) == 2
    aws.settings(filters_after_paging=True)
    pages = [len(page["Reservations"]) for page in ec2.get_paginator("describe_instances").paginate(
        Filters=asked["Filters"], PaginationConfig={"PageSize": 5})]
    assert len(pages) >= 3 and sum(pages) == 2
    assert pages.count(0) >= len(pages) - 2
    assert sorted(found(ec2, filters)) == sorted(holders)


@pytest.mark.parametrize("code", ["InvalidParameterValue", "UnauthorizedOperation"])
def test_the_profile_filter_may_be_refused_and_no_other_is(aws, ec2, name, code):
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION)
    aws.settings(profile_filter_error=code)
    refused(code, ec2.describe_instances,
            Filters=[{"Name": "iam-instance-profile.arn", "Values": [aws.profile(name)["Arn"]]}])
    assert found(ec2, {"instance-id": [instance]}) == [instance]


def test_instances_are_filtered_by_state_id_and_tags(aws, ec2, name):
    one = aws.run_instance(None, REGION, tags={"test": name, "odd": "a*[b]"})
    two = aws.run_instance(None, REGION, tags={"test": name})
    ec2.stop_instances(InstanceIds=[two])
    assert found(ec2, {"tag:test": [name], "instance-state-name": ["running", "pending"]}) == [one]
    assert found(ec2, {"tag:test": [name], "instance-id": [two]}) == [two]
    assert found(ec2, {"tag:test": [name], "tag:odd": ["a*[b]"]}) == [one]


def test_an_unknown_filter_is_refused(ec2):
    message = refused("InvalidParameterValue", ec2.describe_instances, Filters=[{"Name": "profile", "Values": ["x"]}])
    assert message == "The filter 'profile' is invalid"
    refused("InvalidParameterValue", ec2.describe_iam_instance_profile_associations,
            Filters=[{"Name": "iam-instance-profile.arn", "Values": ["x"]}])


@pytest.mark.parametrize("call, by", [
    ("describe_instances", ["iam-instance-profile.arn", "instance-state-name"]),
    ("describe_iam_instance_profile_associations", ["instance-id", "state"])])
def test_a_call_takes_at_most_200_filter_values_over_all_its_filters(ec2, call, by):
    values = [f"value-{number}" for number in range(201)]

    def filtered(*counts):
        return {"Filters": [{"Name": name, "Values": values[:count]} for name, count in zip(by, counts)]}

    getattr(ec2, call)(**filtered(200))
    getattr(ec2, call)(**filtered(197, 3))
    for counts in ((201,), (198, 3), (200, 1)):
        message = refused("FilterLimitExceeded", getattr(ec2, call), **filtered(*counts))
        assert message == "The maximum number of filter values specified on a single call is 200"


def test_a_filter_value_has_at_most_255_characters(ec2):
    def by_arn(length):
        return {"Filters": [{"Name": "iam-instance-profile.arn", "Values": ["x" * length]}]}

    ec2.describe_instances(**by_arn(255))
    refused("InvalidParameterValue", ec2.describe_instances, **by_arn(256))


def test_a_filter_without_values_is_refused(ec2):
    refused("InvalidParameterValue", ec2.describe_instances, Filters=[{"Name": "instance-id", "Values": []}])


def test_instances_and_associations_come_in_pages(aws, ec2, name):
    aws.console_create_role(name)
    started = aws.run_instances(name, 12, REGION, tags={"test": name})
    filters = [{"Name": "tag:test", "Values": [name]}]
    sizes, token = [], None
    while True:
        page = ec2.describe_instances(Filters=filters, MaxResults=5, **({"NextToken": token} if token else {}))
        sizes.append(sum(len(reservation["Instances"]) for reservation in page["Reservations"]))
        token = page.get("NextToken")
        if not token:
            break
    assert sizes == [5, 5, 2]
    pages = ec2.get_paginator("describe_iam_instance_profile_associations").paginate(
        Filters=[{"Name": "instance-id", "Values": started}], PaginationConfig={"PageSize": 5})
    rows = [page["IamInstanceProfileAssociations"] for page in pages]
    assert [len(row) for row in rows] == [5, 5, 2]
    assert sorted(row["InstanceId"] for page in rows for row in page) == sorted(started)
    refused("InvalidParameterCombination", ec2.describe_instances, InstanceIds=started, MaxResults=5)
    refused("InvalidParameterValue", ec2.describe_instances, MaxResults=4)


def test_the_enabled_regions_can_be_chosen(aws, ec2):
    aws.settings(enabled_regions="us-east-1 eu-west-1")
    assert [region["RegionName"] for region in ec2.describe_regions()["Regions"]] == ["us-east-1", "eu-west-1"]
    everything = ec2.describe_regions(AllRegions=True)["Regions"]
    assert {"RegionName": "ap-south-1", "OptInStatus": "not-opted-in"}.items() <= [
        region for region in everything if region["RegionName"] == "ap-south-1"][0].items()


# --------------------------------------------------------------------------------------------- a fleet of others, faults


def test_others_are_shown_beside_the_instances_in_pages_and_changed_by_nobody(aws, name):
    region = "ap-south-1"
    ec2 = aws.client("ec2", region)
    aws.console_create_role(name)
    aws.console_create_role(f"{name}-others")
    instance = aws.run_instance(name, region)
    aws.add_others(f"{name}-others", 2500, region)
    rows = aws.associations(region=region)
    assert len(rows) == len({row["InstanceId"] for row in rows}) == 2501
    others = {row["InstanceId"] for row in rows} - {instance}
    assert len(found(ec2, {"iam-instance-profile.arn": [aws.profile(f"{name}-others")["Arn"]]})) == 2500
    assert found(ec2, {"iam-instance-profile.arn": [aws.profile(name)["Arn"]]}) == [instance]
    [one] = found(ec2, {"instance-id": [min(others)]})
    refused("InvalidInstanceID.NotFound", ec2.stop_instances, InstanceIds=[one])
    assert aws.associations(region="us-west-2") == []
    aws.remove_others()
    assert [row["InstanceId"] for row in aws.associations(region=region)] == [instance]


def test_a_region_is_down_for_a_time_and_the_others_answer(aws, ec2):
    aws.take_region_down(REGION, seconds=5)
    refused("ServiceUnavailable", ec2.describe_instances)
    aws.client("ec2").describe_instances()
    assert [fault["region"] for fault in aws.control("GET", "faults")] == [REGION]
    eventually(lambda: aws.control("GET", "faults") == [])
    ec2.describe_instances()


def test_the_list_of_regions_may_fail_for_a_while(aws, ec2):
    aws.fail("ServiceUnavailable", action="DescribeRegions", count=2)
    for _ in range(2):
        refused("ServiceUnavailable", ec2.describe_regions)
    assert ec2.describe_regions()["Regions"]
