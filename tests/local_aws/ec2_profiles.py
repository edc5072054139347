"""Instance profiles as EC2 sees them: IAM's, with delay, and only with a role in them.

Invariant: what EC2 takes is the profile that IAM has now, by IAM's own spelling of its name.
"""

import settings
import strict_iam
from ec2_lists import Refusal, first


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
