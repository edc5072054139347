"""EC2's rules for instances and their instance profile associations that MiniStack leaves out.

What each call demands of the instance's state, that associations take time and get new ids.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html and the
calls around it. What AWS does not document is said beside the rule.

Invariant: an instance has at most one association that is associated or on its way there, and nobody but EC2's own
calls changes the profile id it holds: re-creating a profile leaves the old id standing.
"""

import functools
import re
import threading
import time
import uuid

import answers
import fleet
import settings
import strict_iam
from ec2_instances import (INSTANCE_FILTERS, PROFILE_FILTER, STATES, in_state, instance_of, instance_values, not_managed,
                           with_operator)
from ec2_lists import Filters, Refusal, filters_of, first, page_of
from ec2_profiles import profile_named

ACTIVE = ("associating", "associated")
ASSOCIATION_FILTERS = {"instance-id", "state"}
FOR_GOOD = 100 * 365 * 86_400  # seconds

_lock = threading.RLock()
# How long every association of these instances is associating, in seconds.
_kept = {}


def install():
    from ministack.services import ec2

    actions = ec2._ACTION_MAP
    actions["AssociateIamInstanceProfile"] = refusing(associate)
    actions["ReplaceIamInstanceProfileAssociation"] = refusing(replace)
    actions["DisassociateIamInstanceProfile"] = refusing(disassociate)
    actions["DescribeIamInstanceProfileAssociations"] = refusing(describe_associations)
    actions["DescribeInstances"] = refusing(describe_instances)
    actions["DescribeRegions"] = describe_regions(actions["DescribeRegions"])
    actions["RunInstances"] = refusing(run_instances(actions["RunInstances"]))
    for action in ("StopInstances", "StartInstances", "TerminateInstances"):
        actions[action] = refusing(settled_first(actions[action]))
    # MiniStack mends what it takes for inconsistent: an association on its way would get a twin.
    ec2._sync_iam_instance_profile_associations = settle
    ec2._find_active_iam_instance_profile_association = active_association
    ec2._iam_instance_profile_association_xml = with_timestamp(ec2._iam_instance_profile_association_xml)
    ec2._instance_xml = with_operator(ec2._instance_xml)


def refusing(handler):
    def handle(parameters):
        with _lock:
            try:
                return handler(parameters)
            except Refusal as refusal:
                return answers.ec2_error(refusal.code, refusal.message)

    return handle


# ---------------------------------------------------------------------------------------------------- associations


def associate(parameters):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html"""
    instance = instance_of(first(parameters, "InstanceId"))
    in_state(instance, ("running", "stopped"), "IncorrectInstanceState",
             f"The instance '{instance['InstanceId']}' is not in the 'running' or 'stopped' states.")
    not_managed(instance)
    profile = profile_named(parameters)
    settle()
    if any(row["InstanceId"] == instance["InstanceId"] for row in associations().values()):
        raise Refusal("IncorrectState", f"There is an existing association for instance {instance['InstanceId']}")
    return associated("AssociateIamInstanceProfile", new_association(instance, profile))


def replace(parameters):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html"""
    old = association_of(first(parameters, "AssociationId"))
    instance = instance_of(old["InstanceId"])
    not_active = f"The association {old['AssociationId']} is not the active association"
    in_state(instance, ("running",), "IncorrectState", not_active)
    if old["State"] != "associated":
        raise Refusal("IncorrectState", not_active)
    not_managed(instance)
    profile = profile_named(parameters)
    held = old["IamInstanceProfile"]
    if held["Id"] == profile["Id"]:
        return associated("ReplaceIamInstanceProfileAssociation", old)
    if held["Arn"] == profile["Arn"] and strict_iam.age_ms(profile["Id"]) < settings.get("stale_replace_ms"):
        profile = held
    end(old)
    return associated("ReplaceIamInstanceProfileAssociation", new_association(instance, profile))


def disassociate(parameters):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html"""
    old = association_of(first(parameters, "AssociationId"))
    instance = instance_of(old["InstanceId"])
    in_state(instance, ("running", "stopped"), "IncorrectInstanceState",
             f"The instance '{instance['InstanceId']}' is not in the 'running' or 'stopped' states.")
    if old["State"] not in ACTIVE:
        raise Refusal("IncorrectState", f"The association {old['AssociationId']} is not the active association")
    not_managed(instance)
    end(old)
    hold(instance, None)
    return associated("DisassociateIamInstanceProfile", old)


def describe_associations(parameters):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html"""
    from ministack.services import ec2

    wanted = ec2._parse_member_list(parameters, "AssociationId")
    filters = Filters(filters_of(parameters, ASSOCIATION_FILTERS))
    settle()

    def is_selected(row):
        return ((not wanted or row["AssociationId"] in wanted)
                and filters.match({"instance-id": [row["InstanceId"]], "state": [row["State"]]}.get))

    page, token = page_of(associations().values(), fleet.associations, is_selected, parameters,
                          key=lambda row: row["AssociationId"])
    items = "".join(ec2._iam_instance_profile_association_xml(row) for row in page)
    return ec2._xml(200, "DescribeIamInstanceProfileAssociationsResponse",
                    f"<iamInstanceProfileAssociationSet>{items}</iamInstanceProfileAssociationSet>{token}")


def associations():
    from ministack.services import ec2

    return ec2._iam_instance_profile_associations


def association_of(association_id):
    settle()
    row = associations().get(association_id)
    if row is None:
        raise Refusal("InvalidAssociationID.NotFound", f"An invalid association-id of '{association_id}' was given")
    return row


def active_association(instance_id):
    for row in associations().values():
        if row["InstanceId"] == instance_id and row["State"] in ACTIVE:
            return row
    return None


def new_association(instance, profile):
    """A row that is associating until its time has come; the instance shows the profile at once."""
    from ministack.services import ec2

    row = {
        "AssociationId": f"iip-assoc-{uuid.uuid4().hex[:17]}",
        "InstanceId": instance["InstanceId"],
        "IamInstanceProfile": dict(profile),
        "State": "associating",
        "Timestamp": ec2._now_ts(),
        "Until": soon() if instance["InstanceId"] not in _kept else time.time() + _kept[instance["InstanceId"]],
    }
    associations()[row["AssociationId"]] = row
    hold(instance, row)
    return row


def end(row):
    from ministack.services import ec2

    row.update(State="disassociating", Until=soon(), Timestamp=ec2._now_ts())


def hold(instance, row):
    """Makes the instance show the profile of that association, or none."""
    instance["IamInstanceProfile"] = dict(row["IamInstanceProfile"]) if row else None
    if row:
        instance["IamInstanceProfileAssociationId"] = row["AssociationId"]
    else:
        instance.pop("IamInstanceProfileAssociationId", None)


def soon():
    return time.time() + settings.get("association_ms") / 1000


def settle():
    """Brings every association of this account and region to where it is by now."""
    from ministack.services import ec2

    with _lock:
        now = time.time()
        for association_id, row in list(associations().items()):
            instance = ec2._instances.get(row["InstanceId"])
            if instance is None or instance["State"]["Name"] == "terminated":
                del associations()[association_id]
                if instance is not None:
                    hold(instance, None)
            elif row["State"] == "disassociated" or (row["State"] == "disassociating" and row.get("Until", 0) <= now):
                del associations()[association_id]
            elif row["State"] == "associating" and row.get("Until", 0) <= now:
                row.update(State="associated", Timestamp=ec2._now_ts())


def keep_associating(instance, region="us-east-1", seconds=None, since_seconds=0, always=False):
    """Puts the association of an instance back to `associating`: for so long from now (None: for good).

    It shows that it has been so for `since_seconds`. With `always`, so is every association that the instance gets.
    """
    seconds = FOR_GOOD if seconds is None else seconds
    with _lock:
        for (_account, its_region, _id), row in list(associations()._data.items()):
            if row["InstanceId"] == instance and its_region == region and row["State"] in ACTIVE:
                since = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - since_seconds))
                row.update(State="associating", Until=time.time() + seconds, Timestamp=since)
                if always:
                    _kept[instance] = seconds
                return {"association": row["AssociationId"]}
    raise LookupError(f"no association of instance {instance!r} in {region}")


def with_timestamp(association_xml):
    """Leaves out the timestamp, if the settings say so."""

    def xml(row, tag="item"):
        shown = association_xml(row, tag=tag)
        if settings.get("association_timestamps"):
            return shown
        return re.sub(r"<timestamp>.*?</timestamp>", "", shown)

    return xml


def associated(action, row):
    from ministack.services import ec2

    return ec2._xml(200, f"{action}Response",
                    ec2._iam_instance_profile_association_xml(row, tag="iamInstanceProfileAssociation"))


# ------------------------------------------------------------------------------------------------------- instances


def run_instances(handler):
    """Refuses a launch with a profile that is not there; MiniStack makes one up."""

    def run(parameters):
        named = {}
        if first(parameters, "IamInstanceProfile.Name") or first(parameters, "IamInstanceProfile.Arn"):
            named = {"IamInstanceProfile.Arn": [profile_named(parameters)["Arn"]]}
        count = int(first(parameters, "MaxCount") or 1)
        parameters = {key: value for key, value in parameters.items() if not key.startswith("IamInstanceProfile.")}
        return handler({**parameters, **named, "MinCount": [str(count)]})  # as many as there is room for: all

    return run


def settled_first(handler):
    def handle(parameters):
        from ministack.services import ec2

        settle()
        for instance_id in ec2._parse_member_list(parameters, "InstanceId"):
            if instance_id in ec2._instances:
                not_managed(ec2._instances[instance_id])
        answer = handler(parameters)
        settle()
        return answer

    return handle


def describe_instances(parameters):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""
    from ministack.core import responses
    from ministack.services import ec2

    wanted = ec2._parse_member_list(parameters, "InstanceId")
    filters = filters_of(parameters, INSTANCE_FILTERS, tags=True)
    if wanted and first(parameters, "MaxResults"):
        raise Refusal("InvalidParameterCombination",
                      "The parameter instancesSet cannot be used with the parameter maxResults")
    settle()
    for instance_id in wanted:
        instance_of(instance_id)
    if PROFILE_FILTER in filters and settings.get("profile_filter_error"):
        raise Refusal(settings.get("profile_filter_error"), f"The filter '{PROFILE_FILTER}' is refused")
    late = {}
    if PROFILE_FILTER in filters and settings.get("filters_after_paging"):
        late[PROFILE_FILTER] = filters.pop(PROFILE_FILTER)
    early, late = Filters(filters), Filters(late)

    def is_selected(filters, instance):
        return ((not wanted or instance["InstanceId"] in wanted)
                and filters.match(lambda name: instance_values(name, instance)))

    page, token = page_of(ec2._instances.values(), fleet.instances, functools.partial(is_selected, early), parameters,
                          key=lambda instance: instance["InstanceId"])
    page = [instance for instance in page if is_selected(late, instance)]
    owner = responses.get_account_id()
    items = "".join(
        f"<item><reservationId>r-{instance['InstanceId'][2:]}</reservationId><ownerId>{owner}</ownerId><groupSet/>"
        f"<instancesSet>{ec2._instance_xml(instance)}</instancesSet></item>" for instance in page)
    return ec2._xml(200, "DescribeInstancesResponse", f"<reservationSet>{items}</reservationSet>{token}")


def describe_regions(handler):
    """Lists the regions that the settings name as enabled."""

    def describe(parameters):
        from ministack.services import ec2

        enabled = settings.get("enabled_regions").split()
        if not enabled:
            return handler(parameters)
        everything = first(parameters, "AllRegions").lower() == "true"
        wanted = ec2._parse_member_list(parameters, "RegionName")
        names = [name for name, _ in ec2._AWS_REGIONS if everything or name in enabled]
        items = "".join(
            f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
            f"<optInStatus>{'opt-in-not-required' if name in enabled else 'not-opted-in'}</optInStatus></item>"
            for name in names if not wanted or name in wanted)
        return ec2._xml(200, "DescribeRegionsResponse", f"<regionInfo>{items}</regionInfo>")

    return describe


def force(instance, region="us-east-1", state=None, operator_managed=None):
    """Puts an instance into a state that no call of the local EC2 leaves it in, or makes it an operator's."""
    from ministack.services import ec2

    if state is not None and state not in STATES:
        raise ValueError(f"no instance state is called {state!r}: there are {', '.join(STATES)}")
    with _lock:
        for (_account, its_region, instance_id), record in list(ec2._instances._data.items()):
            if instance_id == instance and its_region == region:
                if state is not None:
                    record["State"] = {"Code": STATES[state], "Name": state}
                    record["_terminated_at"] = time.time()
                if operator_managed is not None:
                    record["OperatorManaged"] = operator_managed
                return {"instance": instance, "state": record["State"]["Name"]}
    raise LookupError(f"no instance {instance!r} in {region}")
