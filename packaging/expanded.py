"""The template without the SAM transform: plain CloudFormation that takes its code from a bucket.

Invariant: but for the code's place and the architecture, it deploys what `sam deploy` deploys of template.yaml.
"""

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

HEADER = """\
# Reprofile {version}, made of template.yaml by `make package`. Its code is reprofile-arm64.zip or reprofile-x86_64.zip.
"""
CODE = {
    "CodeBucket": {
        "Type": "String",
        "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "ConstraintDescription": "the name of a bucket",
        "Description": "Bucket that holds the zip. It has to be in the region of the stack.",
    },
    # CloudFormation updates the function's code where the key changes, and only there. ARCHITECTURE reads the key's end, so
    # no folder may begin with "reprofile-".
    "CodeKey": {
        "Type": "String",
        "AllowedPattern": r"^(?!/|(.*/)?reprofile-.*/)(.+/)?reprofile-(arm64|x86_64)\.zip$",
        "Description": "Key of the zip, with its version in the folder. A new version needs a new key.",
    },
}
ARCHITECTURE = {"Fn::Select": [0, {"Fn::Split": [".", {"Fn::Select": [1, {"Fn::Split": [
    "/reprofile-", {"Fn::Sub": "/${CodeKey}"}]}]}]}]}


def expand(text, version):
    """The template as text. It has CodeBucket and CodeKey in place of Architecture."""
    template = yaml_parse(text)
    parameters = template["Parameters"]
    del parameters["Architecture"]
    for name, parameter in CODE.items():
        parameters[name] = dict(parameter)
    parameters["CodeKey"]["ConstraintDescription"] = (
        f"a key such as reprofile/{version}/reprofile-arm64.zip, and no folder whose name begins with reprofile-")
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    for group in interface["ParameterGroups"]:
        group["Parameters"] = [name for name in group["Parameters"] if name != "Architecture"]
    interface["ParameterGroups"].append({"Label": {"default": "Where the code is"}, "Parameters": list(CODE)})
    interface["ParameterLabels"] |= {"CodeBucket": {"default": "Bucket"}, "CodeKey": {"default": "Key of the zip"}}
    [function] = [resource for resource in template["Resources"].values()
                  if resource["Type"] == "AWS::Serverless::Function"]
    function.pop("Metadata", None)  # how SAM builds it
    function["Properties"] |= {"CodeUri": {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}},
                               "Architectures": [ARCHITECTURE]}
    # The session only says for which region defaults would be looked up; the translator calls nothing.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    plain = translator.translate(template, {})
    return HEADER.format(version=version) + yaml.dump(
        plain, Dumper=Plain, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)


class Plain(yaml.SafeDumper):
    """YAML as CloudFormation reads it: without anchors, and with texts of many lines as they are."""

    def ignore_aliases(self, data):
        return True


def text_of(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Plain.add_representer(str, text_of)
