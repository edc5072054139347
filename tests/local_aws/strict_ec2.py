"""EC2's rules for instances and their instance profile associations that MiniStack leaves out.

What each call demands of the instance's state, that associations take time and get new ids.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html and the
calls around it; what AWS does not document is in aws-facts, section 4.

Invariant: an instance has at most one association that is associated or on its way there, and nobody but EC2's own
calls changes the profile id it holds: re-creating a profile leaves the old id standing.
"""

import itertools
import re
import threading
import time
import uuid

import answers
import fleet
import settings
import strict_iam
from ec2_lists import Filters, Refusal, filters_of, first, page_of

ACTIVE = ("associating", "associated")
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
ASSOCIATION_FILTERS = {"instance-id", "state"}
PROFILE_FILTER = "iam-instance-profile.arn"
INSTANCE_FILTERS = {
    "instance-id": lambda instance: [instance["InstanceId"]],
    "instance-state-name": lambda instance: [instance["State"]["Name"]],
    "instance-state-code": lambda instance: [str(instance["State"]["Code"])],
    "instance-type": lambda instance: [instance["InstanceType"]],
    "image-id": lambda instance: [instance["ImageId"]],
    "availability-zone": lambda instance: [instance["Placement"]["AvailabilityZone"]],
    PROFILE_FILTER: lambda instance: [(instance.get("IamInstanceProfile") or {}).get("Arn", "")],
    "iam-instance-profile.id": lambda instance: [(instance.get("IamInstanceProfile") or {}).get("Id", "")],
    "operator.managed": lambda instance: [str(bool(instance.get("OperatorManaged"))).lower()],
    "tag-key": lambda instance: list(tags_of(instance)),
}

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
    rows = [row for row in itertools.chain(associations().values(), fleet.associations())
            if (not wanted or row["AssociationId"] in wanted)
            and filters.match({"instance-id": [row["InstanceId"]], "state": [row["State"]]}.get)]
    page, token = page_of(rows, parameters, key=lambda row: row["AssociationId"])
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


# -------------------------------------------------------------------------------------------------------- profiles


def profile_named(parameters):
    """The profile that a call names, as EC2 sees IAM: with delay, and only with a role in it."""
    from ministack.services import iam

    name, arn = first(parameters, "IamInstanceProfile.Name"), first(parameters, "IamInstanceProfile.Arn")
    if not name and not arn:
        raise Refusal("MissingParameter", "The request must contain the parameter iamInstanceProfile")
    if name and arn:
        raise Refusal("InvalidParameterCombination",
                      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
    profile = iam._lookup_instance_profile(name=strict_iam.spelling(iam._instance_profiles, name), arn=arn)
    if profile and strict_iam.age_ms(profile["InstanceProfileId"]) < settings.get("propagation_ms"):
        not_propagated(profile)
        profile = None
    if profile is None:
        which, word = ("name", "name") if name else ("arn", "ARN")
        raise Refusal("InvalidParameterValue", f"Value ({name or arn}) for parameter iamInstanceProfile.{which} is invalid. "
                      f"Invalid IAM Instance Profile {word}")
    if not profile["Roles"]:
        raise Refusal("InvalidParameterValue", f"IAM Instance Profile \"{profile['Arn']}\" has no associated IAM Roles")
    return {"Arn": profile["Arn"], "Id": profile["InstanceProfileId"]}


def not_propagated(profile):
    """Refuses a profile that has not reached EC2 yet, where the settings want another code for it than for none at all.

    https://github.com/hashicorp/terraform-provider-aws/issues/12533
    """
    from ministack.core import responses

    code = settings.get("propagation_error")
    if code != "InvalidParameterValue":
        key = f"{responses.get_account_id()}/{profile['InstanceProfileName']}"
        raise Refusal(code, "ResultDetail: { Code=InstanceIdentityProfileNotFound, "
                      f"Message=InstanceIdentityProfile not found for the key: {key} }}")


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
    found = [instance for instance in itertools.chain(ec2._instances.values(), fleet.instances())
             if (not wanted or instance["InstanceId"] in wanted) and is_selected(early, instance)]
    page, token = page_of(found, parameters, key=lambda instance: instance["InstanceId"])
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


def instance_of(instance_id):
    from ministack.services import ec2

    if not re.fullmatch(r"i-[0-9a-f]{8}([0-9a-f]{9})?", instance_id):
        raise Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    if instance_id not in ec2._instances:
        raise Refusal("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    return ec2._instances[instance_id]


def in_state(instance, states, code, message):
    if instance["State"]["Name"] not in states:
        raise Refusal(code, message)


def not_managed(instance):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html"""
    if instance.get("OperatorManaged"):
        raise Refusal("OperationNotPermitted", f"You can't modify the managed instance '{instance['InstanceId']}'. "
                      "It can be modified only by its operator.")


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


def with_operator(instance_xml):
    """Shows who manages the instance; MiniStack knows of no operators."""

    def xml(instance):
        shown = instance_xml(instance)
        if instance.get("OperatorManaged"):
            operator = "<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>"
            shown = shown.rsplit("</item>", 1)[0] + operator + "</item>"
        return shown

    return xml


def tags_of(instance):
    from ministack.services import ec2

    return {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance["InstanceId"], [])}


def is_selected(filters, instance):
    return filters.match(lambda name: instance_values(name, instance))


def instance_values(name, instance):
    if name.startswith("tag:"):
        value = tags_of(instance).get(name.removeprefix("tag:"))
        return [] if value is None else [value]
    return INSTANCE_FILTERS[name](instance)
