"""Authorises IAM and EC2 calls on the resources on which AWS authorises them, and asks for what AWS asks besides a call.

MiniStack checks Replace and Disassociate on "*" and IAM's calls on a role without its path. It never asks for iam:PassRole,
nor for iam:TagInstanceProfile where a profile is created with tags, nor for the key of a topic.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html

Invariant: a call that gets through here would be allowed by the same policies on AWS, as far as those actions go.
"""

import answers
import calls

ON_THE_INSTANCE = {"AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "DisassociateIamInstanceProfile"}
ON_A_PROFILE = {
    "CreateInstanceProfile", "DeleteInstanceProfile", "GetInstanceProfile", "AddRoleToInstanceProfile",
    "RemoveRoleFromInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile", "ListInstanceProfileTags",
}
PASSING_A_ROLE = {"AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "AddRoleToInstanceProfile",
                  "RunInstances"}


def install():
    from ministack.core import iam_actions, iam_evaluator

    arn_of = iam_actions.extract_resource_arn
    enforce = iam_evaluator.enforce

    def resource_arn(service, method, path, headers, body, parameters, region, account):
        return own_resource_arn(calls.current.get(), account) or arn_of(
            service, method, path, headers, body, parameters, region, account)

    def enforce_as_aws(access_key, action, service, region, resource_arn="*", service_context=None):
        call = calls.current.get()
        if call is None or service not in ("ec2", "iam", "sns"):
            return enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=service_context)
        context = {**(service_context or {}), **keys_of(call)}
        denied = enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=context)
        for besides in [] if denied else asked_besides(call, resource_arn, context):
            action, resource_arn, keys = besides
            denied = enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=keys)
            if denied:
                break
        if isinstance(denied, iam_evaluator.EvalResult):
            raise answers.Refused(refusal(call, action, resource_arn, denied))
        return denied

    iam_actions.extract_resource_arn = resource_arn
    iam_evaluator.enforce = enforce_as_aws


def own_resource_arn(call, account):
    """The resource of a call that MiniStack gets wrong, or None."""
    from ministack.services import iam

    if call is None:
        return None
    if call.service == "ec2":
        if call.action in ON_THE_INSTANCE:
            instance = instance_of(call)
            return f"arn:aws:ec2:{call.region}:{account}:instance/{instance or '*'}"
        return "*" if call.action.startswith("Describe") else None
    if call.service != "iam":
        return None
    if call.action in ON_A_PROFILE:
        name = call.parameter("InstanceProfileName")
        profile = iam._instance_profiles.get(name) or {}
        path = profile.get("Path") or call.parameter("Path") or "/"
        return f"arn:aws:iam::{account}:instance-profile{path}{name}"
    if call.action == "ListInstanceProfiles":
        return f"arn:aws:iam::{account}:instance-profile{call.parameter('PathPrefix') or '/'}"
    name = call.parameter("RoleName")
    if name:
        role = iam._roles.get(name) or {}
        return f"arn:aws:iam::{account}:role{role.get('Path') or call.parameter('Path') or '/'}{name}"
    return None


def asked_besides(call, resource, context):
    """What the caller also has to be allowed: action, resource and condition keys of each."""
    from ministack.services import sns

    if call.action in PASSING_A_ROLE:
        role = role_passed(call)
        # For a call to IAM as for one to EC2.
        return [("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})] if role else []
    if call.action == "CreateInstanceProfile" and call.parameter("Tags.member.1.Key"):
        return [("iam:TagInstanceProfile", resource, context)]
    if call.service == "sns" and call.action == "Publish":
        topic = sns._topics.get(call.parameter("TopicArn")) or {"attributes": {}}
        key = topic["attributes"].get("KmsMasterKeyId")
        via = {"kms:ViaService": f"sns.{call.region}.amazonaws.com"}
        return [(f"kms:{action}", key, via) for action in ("GenerateDataKey", "Decrypt")] if key else []
    return []


def instance_of(call):
    """The instance that an association call is about."""
    from ministack.services import ec2

    association = ec2._iam_instance_profile_associations.get(call.parameter("AssociationId")) or {}
    return call.parameter("InstanceId") or association.get("InstanceId")


def keys_of(call):
    """The condition keys of EC2's association calls.

    AWS does not document what ec2:InstanceProfile is after the profile was deleted; here it is the ARN that EC2 shows.
    """
    from ministack.services import ec2, iam

    if call.service != "ec2" or call.action not in ON_THE_INSTANCE:
        return {}
    keys = {"ec2:region": call.region}
    instance = ec2._instances.get(instance_of(call)) or {}
    held = instance.get("IamInstanceProfile")
    if held:
        keys["ec2:instanceprofile"] = held["Arn"]
    for tag in ec2._tags.get(instance.get("InstanceId"), []):
        keys[f"aws:resourcetag/{tag['Key'].lower()}"] = tag["Value"]
        keys[f"ec2:resourcetag/{tag['Key'].lower()}"] = tag["Value"]
    if instance.get("OperatorManaged"):
        keys["ec2:managedresourceoperator"] = "eks.amazonaws.com"
    new = iam._lookup_instance_profile(
        name=call.parameter("IamInstanceProfile.Name"), arn=call.parameter("IamInstanceProfile.Arn"))
    if new:
        keys["ec2:newinstanceprofile"] = new["Arn"]
    return keys


def role_passed(call):
    """The ARN of the role that a call hands to EC2, or None if there is none to hand over."""
    from ministack.services import iam

    if call.action == "AddRoleToInstanceProfile":
        role = iam._roles.get(call.parameter("RoleName"))
        return role and role["Arn"]
    profile = iam._lookup_instance_profile(
        name=call.parameter("IamInstanceProfile.Name"), arn=call.parameter("IamInstanceProfile.Arn"))
    role = profile and profile["Roles"] and iam._roles.get(profile["Roles"][0])
    return role["Arn"] if role else None


def refusal(call, action, resource, denied):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    from ministack.core import iam_actions

    words = iam_actions.identity_denial_message(action, denied.principal_arn, resource, denied.decision == "Deny")
    if call.service == "ec2":
        words = (f"You are not authorized to perform this operation. {words}. "
                 "Encoded authorization failure message: ZXhhbXBsZQ")
        return answers.ec2_error("UnauthorizedOperation", words, 403, call.request_id)
    if action.startswith("kms:"):
        return answers.error(call, "KMSAccessDenied", words)
    return answers.error(call, "AccessDenied" if call.service == "iam" else "AuthorizationError", words, 403)
