"""IAM's rules for roles and instance profiles that MiniStack leaves out.

Names are unique without regard to case and path; lists come in pages; a profile holds one role; errors are worded as AWS
words them. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html

Invariant: an IAM write that AWS would refuse changes nothing here.
"""

import base64
import datetime
import re
import time

import settings

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
NAME = {"RoleName": re.compile(r"[\w+=,.@-]{1,64}", re.ASCII), "InstanceProfileName": re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)}
PATH = re.compile(r"(\u002F)|(\u002F[\u0021-\u007E]{1,510}\u002F)")

# When each profile was created, to the millisecond, by its id: IAM itself shows whole seconds.
_created = {}


def install():
    from ministack.services import iam

    handlers = iam._IAM_HANDLERS
    for action in ("CreateRole", "CreateInstanceProfile"):
        handlers[action] = creating(handlers[action])
    for action in ("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", "DeleteInstanceProfile",
                   "GetInstanceProfile", "DeleteRole", "GetRole", "UpdateAssumeRolePolicy", "TagInstanceProfile"):
        handlers[action] = naming_what_is_missing(handlers[action])
    handlers["AddRoleToInstanceProfile"] = one_role(handlers["AddRoleToInstanceProfile"])
    handlers["ListInstanceProfiles"] = list_instance_profiles
    handlers["ListInstanceProfilesForRole"] = list_instance_profiles_for_role


def error(status, code, message):
    import answers

    return answers.query_error(NAMESPACE, code, message, status)


def first(parameters, name, default=""):
    value = parameters.get(name, default)
    return value[0] if isinstance(value, list) else value


def creating(handler):
    """Refuses odd names and paths, and names that exist in another case or under another path."""

    def create(parameters):
        from ministack.services import iam

        kind = "InstanceProfileName" if "InstanceProfileName" in parameters else "RoleName"
        name, path = first(parameters, kind), first(parameters, "Path") or "/"
        if not NAME[kind].fullmatch(name):
            return error(400, "ValidationError", f"The specified value for {lower_first(kind)} is invalid. "
                         "It must contain only alphanumeric characters and/or the following: +=,.@_-")
        if not PATH.fullmatch(path):
            return error(400, "ValidationError", "The specified value for path is invalid. It must begin and end with / "
                         "and contain only alphanumeric characters and/or / characters.")
        store, word = ((iam._instance_profiles, "Instance Profile") if kind == "InstanceProfileName"
                       else (iam._roles, "Role with name"))
        if any(existing.lower() == name.lower() for existing in store):
            return error(409, "EntityAlreadyExists", f"{word} {name} already exists.")
        answer = handler(parameters)
        if kind == "InstanceProfileName" and answer[0] == 200:
            _created[store[name]["InstanceProfileId"]] = time.time()
        return answer

    return create


def spelling(store, name):
    """How what a call names is spelt: as the call does, or, where names don't mind case, as IAM has it."""
    if settings.get("names_mind_case") or name in store:
        return name
    return next((existing for existing in store if existing.lower() == name.lower()), name)


def spelt(parameters):
    """The parameters with the names of what there is as `spelling` has them."""
    from ministack.services import iam

    own = {}
    for kind, store in (("InstanceProfileName", iam._instance_profiles), ("RoleName", iam._roles)):
        name = first(parameters, kind)
        if name and spelling(store, name) != name:
            own[kind] = [spelling(store, name)]
    return {**parameters, **own}


def naming_what_is_missing(handler):
    """Says what is missing in AWS's words."""

    def handle(parameters):
        from ministack.services import iam

        parameters = spelt(parameters)
        profile, role = first(parameters, "InstanceProfileName"), first(parameters, "RoleName")
        if profile and profile not in iam._instance_profiles:
            return error(404, "NoSuchEntity", f"Instance Profile {profile} cannot be found.")
        if role and role not in iam._roles:
            return error(404, "NoSuchEntity", f"The role with name {role} cannot be found.")
        return handler(parameters)

    return handle


def one_role(handler):
    def add(parameters):
        from ministack.services import iam

        profile = iam._instance_profiles.get(first(parameters, "InstanceProfileName"))
        if profile and profile["Roles"] and first(parameters, "RoleName") in iam._roles:
            return error(409, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
        return handler(parameters)

    return add


def list_instance_profiles(parameters):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html"""
    from ministack.services import iam

    prefix = first(parameters, "PathPrefix") or "/"
    names = [name for name, profile in iam._instance_profiles.items() if profile["Path"].startswith(prefix)]
    return page_of_profiles("ListInstanceProfiles", names, parameters)


def list_instance_profiles_for_role(parameters):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html"""
    from ministack.services import iam

    role = spelling(iam._roles, first(parameters, "RoleName"))
    if role not in iam._roles:
        return error(404, "NoSuchEntity", f"The role with name {role} cannot be found.")
    names = [name for name, profile in iam._instance_profiles.items() if role in profile["Roles"]]
    return page_of_profiles("ListInstanceProfilesForRole", names, parameters)


def page_of_profiles(action, names, parameters):
    """A page of at most MaxItems (1 to 1000, by default 100) profiles; IAM may return fewer than asked for."""
    from ministack.services import iam

    try:
        size = int(first(parameters, "MaxItems") or 100)
        if not 1 <= size <= 1000:
            raise ValueError
    except ValueError:
        return error(400, "ValidationError", "1 validation error detected: Value at 'maxItems' failed to satisfy "
                     "constraint: Member must be between 1 and 1000")
    marker = first(parameters, "Marker")
    try:
        after = base64.urlsafe_b64decode(marker.encode()).decode() if marker else ""
    except ValueError:
        return error(400, "ValidationError", "Invalid Marker.")
    names = sorted(name for name in names if name > after)
    page, more = names[:size], len(names) > size
    profiles = "".join(f"<member>{iam._instance_profile_xml(name)}</member>" for name in page)
    rest = "<IsTruncated>false</IsTruncated>"
    if more:
        rest = f"<IsTruncated>true</IsTruncated><Marker>{base64.urlsafe_b64encode(page[-1].encode()).decode()}</Marker>"
    return iam._xml(200, f"{action}Response",
                    f"<{action}Result><InstanceProfiles>{profiles}</InstanceProfiles>{rest}</{action}Result>", ns="iam")


def age_ms(profile_id):
    """How long ago the profile of that id was created."""
    return (time.time() - _created.get(profile_id, 0)) * 1000


def lower_first(name):
    return name[:1].lower() + name[1:]


def age(profile, seconds):
    """Has a profile be created so much earlier than it was."""
    from ministack.services import iam

    for (_account, name), record in list(iam._instance_profiles._data.items()):
        if name == profile:
            created = datetime.datetime.fromisoformat(record["CreateDate"]) - datetime.timedelta(seconds=seconds)
            record["CreateDate"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
            _created[record["InstanceProfileId"]] = created.timestamp()
            return {"profile": profile, "created": record["CreateDate"]}
    raise LookupError(f"no instance profile {profile}")
