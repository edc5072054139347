"""A region that is down is unread, not well: nothing is closed meanwhile, and what it holds is healed on its return.

Invariant: the account was swept whole while it was empty; no message ends in the dead-letter queue for a region's sake.
"""

import pytest

import deployment
from account import eventually

HOME, AWAY = "us-east-1", "eu-west-1"
FUNCTION = "*assumed-role/reprofile/*"


@pytest.fixture(scope="module")
def swept():
    with deployment.deployed(SettleSeconds=1) as reprofile:
        reprofile.sweep()
        yield reprofile


@pytest.fixture
def reprofile(swept):
    yield swept
    swept.aws.mend()
    swept.end_instances()
    eventually(swept.is_over)  # with its last instance an incident ends
    assert swept.dead_letters() == []


def made_anew(reprofile, profile):
    reprofile.aws.console_delete_role(profile)
    reprofile.aws.console_create_role(profile)


def statuses(reprofile, profile):
    return [alert["attributes"]["status"] for alert in reprofile.alerts(profile)]


def rechecks_pass(reprofile, times):
    """Lets the queue bring back so often what was sent with a delay."""
    for _ in range(times):
        reprofile.until_idle()
        reprofile.let_time_pass()
    reprofile.until_idle()


def passes(reprofile, happened):
    """Lets the queue bring back what was sent with a delay, and asks whether it has happened."""
    reprofile.let_time_pass()
    return happened()


def test_what_a_region_holds_that_is_down_is_healed_on_its_return(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    home, away = aws.run_instance(name), aws.run_instance(name, AWAY)
    reprofile.sweep()
    aws.take_region_down(AWAY, caller=FUNCTION)
    made_anew(reprofile, name)
    eventually(lambda: aws.healed(home, name))
    told = eventually(lambda: passes(reprofile, lambda: reprofile.alerts(name)), every=0.3)[0]
    assert (told["attributes"]["status"], told["attributes"]["severity"]) == ("BROKEN", "warning")
    assert AWAY in told["message"]
    rechecks_pass(reprofile, 7)  # more than a message is received before it is a dead letter
    assert statuses(reprofile, name) == ["BROKEN"]
    assert not aws.healed(away, name, AWAY)
    aws.mend()
    eventually(lambda: passes(reprofile, lambda: aws.healed(away, name, AWAY)), every=0.3)
    eventually(reprofile.is_over)
    assert statuses(reprofile, name) == ["BROKEN", "HEALED"]
    assert away in reprofile.alerts(name)[1]["message"]


def test_a_break_that_only_a_region_that_is_down_could_show_is_told_after_its_return(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    away = aws.run_instance(name, AWAY)
    reprofile.sweep()
    aws.take_region_down(AWAY, caller=FUNCTION)
    made_anew(reprofile, name)
    rechecks_pass(reprofile, 7)
    assert statuses(reprofile, name) == []
    aws.mend()
    eventually(lambda: passes(reprofile, lambda: aws.healed(away, name, AWAY)), every=0.3)
    eventually(reprofile.is_over)
    assert statuses(reprofile, name) == ["HEALED"]


def test_a_sweep_lives_through_a_region_that_is_down_and_notices_it_the_second_time(reprofile, name):
    aws, before = reprofile.aws, len(reprofile.alerts("*"))
    aws.console_create_role(name)
    aws.run_instance(name)
    aws.take_region_down(AWAY, caller=FUNCTION)
    assert [one["region"] for one in reprofile.sweep()["unread_regions"]] == [AWAY]
    assert statuses(reprofile, "*")[before:] == []
    reprofile.sweep()
    reprofile.sweep()
    assert statuses(reprofile, "*")[before:] == ["NOTICE"]
    assert AWAY in reprofile.alerts("*")[before]["message"]
    aws.mend()
    assert reprofile.sweep()["unread_regions"] == []
    assert statuses(reprofile, "*")[before:] == ["NOTICE", "NOTICE"]


def test_where_the_list_of_regions_fails_the_regions_last_seen_are_looked_at(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    away = aws.run_instance(name, AWAY)
    reprofile.sweep()
    reprofile.until_idle()
    mark = aws.mark()
    aws.fail("ServiceUnavailable", action="DescribeRegions", caller=FUNCTION)
    reprofile.restart()  # the fault stands already, so the new process can't have listed the regions before
    made_anew(reprofile, name)
    eventually(lambda: aws.healed(away, name, AWAY))
    assert reprofile.calls(mark, action="DescribeRegions", error="ServiceUnavailable")
    eventually(lambda: passes(reprofile, lambda: "HEALED" in statuses(reprofile, name)), seconds=60, every=0.3)
    assert away in reprofile.alert(name, "HEALED")["message"]
