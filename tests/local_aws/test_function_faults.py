"""The console's trap while AWS fails at random, on the real function: whatever fails, the end is healed and told.

Invariant: a case is its seed: the same faults in the same order. All of them are used up, or taken back, before the end.
"""

import random

import pytest

import deployment
from account import eventually

# What each call may meet: codes that come by themselves and go away by themselves.
THROTTLED_OR_DOWN = {
    "iam": (["GetInstanceProfile", "GetRole"], ["Throttling", "ServiceUnavailable"]),
    "ec2": (["DescribeRegions", "DescribeInstances", "DescribeIamInstanceProfileAssociations",
             "ReplaceIamInstanceProfileAssociation", "AssociateIamInstanceProfile", "DisassociateIamInstanceProfile"],
            ["RequestLimitExceeded", "ServiceUnavailable", "InternalError"]),
    "dynamodb": (["GetItem", "PutItem", "Query"], ["ThrottlingException", "InternalServerError"]),
    "sqs": (["SendMessage"], ["RequestThrottled", "ServiceUnavailable"]),
    "sns": (["Publish"], ["Throttling", "InternalError"]),
}
FUNCTION = "*assumed-role/*"


@pytest.fixture(scope="module")
def reprofile():
    with deployment.deployed(SettleSeconds=1) as reprofile:
        yield reprofile


def faults(chance):
    """A handful of faults, each for some calls."""
    for _ in range(chance.randint(2, 6)):
        service = chance.choice(list(THROTTLED_OR_DOWN))
        actions, errors = THROTTLED_OR_DOWN[service]
        yield {"service": service, "action": chance.choice(actions), "error": chance.choice(errors), "status": 503,
               "count": chance.randint(1, 4)}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_fails_for_a_while_both_instances_are_healed_and_told(reprofile, seed):
    aws, profile, chance = reprofile.aws, f"trap-{seed}", random.Random(seed)
    aws.console_create_role(profile)
    running, stopped = aws.run_instance(profile), aws.run_instance(profile)
    aws.client("ec2").stop_instances(InstanceIds=[stopped])
    aws.force_instance(stopped, state="stopped")
    reprofile.until_idle()
    made = list(faults(chance))
    for fault in made:
        aws.fail(caller=FUNCTION, **fault)
    mark = aws.mark()
    aws.console_delete_role(profile)
    aws.console_create_role(profile)
    aws.age_profile(profile, 120)

    def is_healed():
        reprofile.redeliver()
        return aws.healed(running, profile) and aws.healed(stopped, profile)

    eventually(is_healed, seconds=60, every=0.3)
    aws.mend()
    eventually(reprofile.is_over, seconds=60, every=0.3)
    assert [one["attributes"]["status"] for one in reprofile.alerts(profile)][-1] == "HEALED", made
    assert reprofile.dead_letters() == [], made
    targets = {call["parameters"].get("IamInstanceProfile.Arn", "").rpartition("/")[2]
               for call in reprofile.writes(mark)} - {""}
    assert targets <= {profile}, made
