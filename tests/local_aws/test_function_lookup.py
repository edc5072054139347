"""How the deployed function finds the instances of a profile: by its ARN, in any path and case, and by paging where it must.

Invariant: the account was swept whole while it was empty, so that what breaks later is healed at once.
"""

import pytest

import deployment
from account import eventually

HOME, AWAY = "us-east-1", "eu-west-1"
LONG = "/" + "x" * 300 + "/"


@pytest.fixture(scope="module")
def swept():
    with deployment.deployed(SettleSeconds=1) as reprofile:
        reprofile.sweep()
        yield reprofile


@pytest.fixture
def reprofile(swept):
    yield swept
    swept.aws.mend()
    swept.aws.remove_others()
    swept.aws.settings(event_copies=1, filters_after_paging=False, profile_filter_error="", names_mind_case=True)
    swept.end_instances()
    eventually(swept.is_over)  # with its last instance an incident ends


def made(reprofile, profile, path="/", region=AWAY):
    """An instance with a profile of that name, whose role has another name, known to Reprofile."""
    reprofile.aws.create_profile(profile, f"role-of-{profile}", path=path)
    instance = reprofile.aws.run_instance(profile, region)
    reprofile.until_idle()
    reprofile.sweep()
    return instance


def made_anew(reprofile, profile, path="/", spelt=None):
    """The profile is deleted and comes back, perhaps under another path or in another case."""
    with reprofile.one_batch():
        reprofile.aws.delete_profile(profile)
        reprofile.aws.create_profile(spelt or profile, f"role-of-{profile}", path=path)


def arn(path, profile):
    return f"arn:aws:iam::111122223333:instance-profile{path}{profile}"


@pytest.mark.parametrize("before, after", [("/before/", "/after/"), ("/", "/app/"), (LONG, LONG), ("/", LONG)])
def test_a_profile_that_comes_back_under_a_path_is_found_and_healed(reprofile, name, before, after):
    instance = made(reprofile, name, before)
    made_anew(reprofile, name, after)
    eventually(lambda: reprofile.aws.healed(instance, name, AWAY))
    assert reprofile.aws.held(instance, AWAY)["Arn"] == arn(after, name)
    assert instance in reprofile.alert(name, "HEALED")["message"]


@pytest.mark.parametrize("code", ["InvalidParameterValue", "UnauthorizedOperation"])
def test_where_the_profile_filter_is_refused_instances_are_found_by_paging(reprofile, name, code):
    instance = made(reprofile, name)
    reprofile.aws.settings(profile_filter_error=code)
    made_anew(reprofile, name)
    eventually(lambda: reprofile.aws.healed(instance, name, AWAY))
    assert instance in reprofile.alert(name, "HEALED")["message"]
    assert reprofile.dead_letters() == []


def test_where_most_pages_are_empty_the_instance_on_the_last_is_found(reprofile, name):
    reprofile.aws.create_profile(f"{name}-others", f"role-of-{name}")
    reprofile.aws.add_others(f"{name}-others", 2500, AWAY)
    instance = made(reprofile, name)
    reprofile.aws.settings(filters_after_paging=True)
    made_anew(reprofile, name)
    eventually(lambda: reprofile.aws.healed(instance, name, AWAY))
    assert instance in reprofile.alert(name, "HEALED")["message"]


# ----------------------------------------------------------------------------------------------- names in another case


@pytest.mark.parametrize("minds_case", [True, False])
def test_a_profile_that_comes_back_in_another_case_is_found_and_healed(reprofile, name, minds_case):
    reprofile.aws.settings(names_mind_case=minds_case)
    instance, spelt = made(reprofile, name), name.capitalize()
    made_anew(reprofile, name, spelt=spelt)
    eventually(lambda: reprofile.aws.healed(instance, spelt, AWAY))
    assert reprofile.aws.held(instance, AWAY)["Arn"] == arn("/", spelt)
    statuses = eventually(lambda: statuses_of(reprofile, name))
    assert statuses == ["HEALED"]


@pytest.mark.parametrize("minds_case", [True, False])
def test_a_sweep_heals_a_profile_that_came_back_in_another_case_unheard(reprofile, name, minds_case):
    reprofile.aws.settings(names_mind_case=minds_case)
    instance, spelt = made(reprofile, name), name.upper()
    reprofile.aws.settings(event_copies=0)
    reprofile.aws.delete_profile(name)
    reprofile.aws.create_profile(spelt, f"role-of-{name}")
    [report] = [one for one in reprofile.sweep()["profiles"] if one["profile"].lower() == name]
    assert [one["case"] for one in report["instances"]] == ["stale"]
    eventually(lambda: reprofile.aws.healed(instance, spelt, AWAY))


def statuses_of(reprofile, profile):
    """The statuses of the alerts on that profile, however its name is spelt, once nothing is left to be looked at."""
    eventually(reprofile.is_over)
    reprofile.inbox.receive()
    told = [message["attributes"] for message in reprofile.inbox.messages]
    return [one["status"] for one in told if one.get("profile", "").lower() == profile]


# ------------------------------------------------------------------------------------------------ what a look may cost


@pytest.mark.parametrize("after", ["/", "/after/"])
def test_an_event_reads_no_fleet_before_it_heals(reprofile, name, after):
    aws, instance = reprofile.aws, made(reprofile, name)
    mark = aws.mark()
    made_anew(reprofile, name, after)
    eventually(lambda: aws.healed(instance, name, AWAY))
    calls = reprofile.calls(mark)
    healed = next(call["number"] for call in calls if call["action"].startswith("Replace"))
    read = [call["parameters"].get("Filter.1.Name") for call in calls if call["number"] < healed and call["action"] in (
        "DescribeInstances", "DescribeIamInstanceProfileAssociations")]
    assert read and set(read) <= {"iam-instance-profile.arn", "instance-id"}


def test_an_event_about_nobody_writes_nothing_to_the_table(reprofile, name):
    aws = reprofile.aws
    reprofile.until_idle()
    mark = aws.mark()
    aws.console_create_role(name)
    aws.console_delete_role(name)
    eventually(lambda: reprofile.looks(name, mark))
    eventually(reprofile.is_over)
    written = [call["action"] for call in reprofile.calls(mark, service="dynamodb") if call["action"] not in (
        "GetItem", "Query")]
    assert written == []
    assert reprofile.alerts(name) == []
