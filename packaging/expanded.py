"""The template without the SAM transform: plain CloudFormation that takes its code from a bucket.

Invariant: but for the code's place and the architecture, it deploys what `sam deploy` deploys of template.yaml.
"""

import re

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

HEADER = """\
# Reprofile {version} for {architecture}, made of template.yaml by `make package`.
# Its code is reprofile-{architecture}.zip.
"""
CODE = {
    "CodeBucket": {
        "Type": "String",
        "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "ConstraintDescription": "the name of a bucket",
        "Description": "Bucket that holds the zip. It has to be in the region of the stack.",
    },
    # CloudFormation updates the function's code where the key changes, and only there.
    "CodeKey": {
        "Type": "String",
        "Description": "Key of the zip, with its version in the folder. A new version needs a new key.",
    },
}


def expand(text, version, architecture):
    """The template as text. The zip beside it has one architecture, so the parameter takes no other."""
    template = yaml_parse(text)
    parameters = template["Parameters"]
    parameters["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture],
                                   "Description": "Processor architecture of the zip."}
    for name, parameter in CODE.items():
        parameters[name] = dict(parameter)
    zip_name = f"reprofile-{architecture}.zip"
    parameters["CodeKey"] |= {"AllowedPattern": f"^[^/].*/{re.escape(zip_name)}$",
                              "ConstraintDescription": f"a key such as reprofile/{version}/{zip_name}"}
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"].append({"Label": {"default": "Where the code is"}, "Parameters": list(CODE)})
    interface["ParameterLabels"] |= {"CodeBucket": {"default": "Bucket"}, "CodeKey": {"default": "Key of the zip"}}
    [function] = [resource for resource in template["Resources"].values()
                  if resource["Type"] == "AWS::Serverless::Function"]
    function.pop("Metadata", None)  # how SAM builds it
    function["Properties"]["CodeUri"] = {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}}
    # The session only says for which region defaults would be looked up; the translator calls nothing.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    plain = translator.translate(template, {})
    return HEADER.format(version=version, architecture=architecture) + yaml.dump(
        plain, Dumper=Plain, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)


class Plain(yaml.SafeDumper):
    """YAML as CloudFormation reads it: without anchors, and with texts of many lines as they are."""

    def ignore_aliases(self, data):
        return True


def text_of(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Plain.add_representer(str, text_of)
