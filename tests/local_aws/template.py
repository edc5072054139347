"""The project's template, resolved in Python: which parameters it refuses, and what its resources are for those it takes.

Invariant: every function of CloudFormation that the template uses is evaluated here, and any other is an error. Resources
that are not deployed have names made of their logical ids.
"""

import functools
import re

import yaml

from deployment import TEMPLATE

ACCOUNT, REGION = "111122223333", "us-east-1"
PSEUDO = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::StackName": "reprofile",
          "AWS::NoValue": None}
SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
# The services in the ARNs of what Ref gives a name or an address for.
SERVICES = {"AWS::SQS::Queue": "sqs", "AWS::DynamoDB::Table": "dynamodb", "AWS::Logs::LogGroup": "logs",
            "AWS::CloudWatch::Alarm": "cloudwatch", "AWS::Events::Rule": "events", "AWS::Serverless::Function": "lambda",
            "AWS::IAM::Role": "iam"}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!If […]` becomes {"Fn::If": […]}."""


def long_form(loader, name, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


Loader.add_multi_constructor("!", long_form)


@functools.cache
def source():
    return yaml.load(TEMPLATE.read_text(), Loader)


class Template:
    """The template with these parameters; `physical` has the ids of a deployed stack, by logical id."""

    def __init__(self, physical=None, region=REGION, partition="aws", **parameters):
        declared = source()["Parameters"]
        unknown = set(parameters) - set(declared)
        if unknown:
            raise ValueError(f"no such parameters: {unknown}")
        self.parameters = {name: str(parameters.get(name, of["Default"])) for name, of in declared.items()}
        self.pseudo = PSEUDO | {"AWS::Region": region, "AWS::Partition": partition, "AWS::URLSuffix": SUFFIXES[partition]}
        self.physical = physical or {}

    def refused(self):
        """Why CloudFormation refuses the parameters: by their own constraints, then by the rules. Empty: it takes them."""
        reasons = []
        for name, of in source()["Parameters"].items():
            values = self.parameters[name].split(",") if of["Type"] == "CommaDelimitedList" else [self.parameters[name]]
            allowed = [str(value) for value in of.get("AllowedValues", values)]
            pattern = of.get("AllowedPattern", ".*")
            if len(self.parameters[name]) > of.get("MaxLength", 4096) or any(
                    value not in allowed or not re.fullmatch(pattern, value, re.S) for value in values):
                reasons.append(f"{name}: {of.get('ConstraintDescription', allowed)}")
        for rule in source()["Rules"].values():
            reasons += [assertion["AssertDescription"] for assertion in rule["Assertions"]
                        if not self.resolve(assertion["Assert"])]
        return reasons

    def holds(self, condition):
        return self.resolve(source()["Conditions"][condition])

    def resources(self, resource_type):
        """The properties of the resources of that type that are made, by logical id."""
        return {name: self.resolve(resource["Properties"]) for name, resource in source()["Resources"].items()
                if resource["Type"] == resource_type and self.is_made(resource)}

    def outputs(self):
        return {name: self.resolve(output["Value"]) for name, output in source()["Outputs"].items() if self.is_made(output)}

    def resolve_all(self):
        """Every resource that is made, and every output; raises LookupError where one refers to what is not made."""
        return {name: self.resolve(resource["Properties"]) for name, resource in source()["Resources"].items()
                if self.is_made(resource)} | self.outputs()

    def is_made(self, declared):
        return "Condition" not in declared or self.holds(declared["Condition"])

    def resolve(self, value):
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name == "Ref" or name.startswith("Fn::"):
                return self.call(name.removeprefix("Fn::"), argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not None}

    def call(self, function, argument):
        if function == "If":
            condition, yes, no = argument
            return self.resolve(yes if self.holds(condition) else no)
        if function == "Ref":
            return self.reference(argument)
        if function == "GetAtt":
            return self.attribute(*argument.split(".", 1))
        if function == "Sub":
            text, own = (argument, {}) if isinstance(argument, str) else argument
            own = {name: self.resolve(one) for name, one in own.items()}
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: own.get(found[1]) or str(self.named(found[1])), text)
        resolved = self.resolve(argument)
        match function:
            case "Equals":
                return resolved[0] == resolved[1]
            case "Not":
                return not resolved[0]
            case "And":
                return all(resolved)
            case "Or":
                return any(resolved)
            case "Contains":
                return resolved[1] in resolved[0]
            case "Select":
                return resolved[1][int(resolved[0])]
            case "Split":
                return resolved[1].split(resolved[0])
            case "FindInMap":
                return source()["Mappings"][resolved[0]][resolved[1]][resolved[2]]
        raise NotImplementedError(f"Fn::{function}")

    def named(self, name):
        return self.attribute(*name.split(".", 1)) if "." in name else self.reference(name)

    def reference(self, name):
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            value = self.parameters[name]
            return value.split(",") if source()["Parameters"][name]["Type"] == "CommaDelimitedList" else value
        resource = source()["Resources"][name]
        if not self.is_made(resource):
            raise LookupError(f"{name} is used but not made")
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:reprofile-{name}" if resource["Type"] == "AWS::SNS::Topic" else None
        return self.physical.get(name) or topic or f"reprofile-{name}"

    def attribute(self, name, attribute):
        reference = self.reference(name)
        if attribute in ("QueueName", "TopicName"):
            return re.split("[/:]", reference)[-1]
        if attribute == "Arn":
            service = SERVICES[source()["Resources"][name]["Type"]]
            return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{re.split('[/:]', reference)[-1]}"
        raise NotImplementedError(f"{name}.{attribute}")
