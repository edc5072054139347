"""Deploys a SAM template to the local AWS through its CloudFormation, as `sam package` and `sam deploy` do on AWS.

Invariant: nothing of the template is changed but what `sam package` changes, CodeUri; of a packaged one, nothing.

    python stack.py --endpoint URL deploy --template template.yaml --bootstrap PATH [--name reprofile] [Key=Value …]
    python stack.py --endpoint URL delete [--name reprofile]
"""

import argparse
import hashlib
import io
import json
import pathlib
import re
import sys
import time
import zipfile

from account import HOME_REGION, LocalAws

TEMPLATE_BODY_LIMIT = 51_200  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
CODE_URI = re.compile(r"^(\s*CodeUri\s*:)[ \t]*(?!s3://)\S.*$", re.M)


class StackFailed(Exception):
    """A stack that did not get where it should; says which resources failed and why."""


class Stack:
    """A deployed stack: its outputs, its resources, its functions' logs."""

    def __init__(self, aws, name, region):
        self.aws = aws
        self.name = name
        self.region = region
        self._cloudformation = aws.client("cloudformation", region)
        described = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        rows = pages.build_full_result()["StackResourceSummaries"]
        self.resources = {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}
        self.types = {row["LogicalResourceId"]: row["ResourceType"] for row in rows}

    def of_type(self, resource_type):
        """The physical ids of the resources of that type, by logical id."""
        return {logical: self.resources[logical] for logical, its in self.types.items() if its == resource_type}

    def function(self):
        """The name of the stack's function, which must be the only one."""
        [name] = self.of_type("AWS::Lambda::Function").values()
        return name

    def function_arn(self):
        return self.function_configuration()["FunctionArn"]

    def function_configuration(self):
        return self.aws.client("lambda", self.region).get_function_configuration(FunctionName=self.function())

    def function_role(self):
        """The name of the function's execution role."""
        return self.function_configuration()["Role"].rpartition("/")[2]

    def invoke(self, payload):
        """Invokes the function and waits; returns (answer, error) of which one is None."""
        answer = self.aws.client("lambda", self.region).invoke(
            FunctionName=self.function(), Payload=json.dumps(payload).encode())
        body = json.loads(answer["Payload"].read() or b"null")
        return (None, body) if "FunctionError" in answer else (body, None)

    def logs(self):
        """The lines that the function has logged so far, the Lambda service's own included."""
        configuration = self.function_configuration()
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{self.function()}"
        logs = self.aws.client("logs", self.region)
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for event in pages.build_full_result()["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def json_logs(self):
        """Those of the lines that are JSON objects."""
        lines = []
        for line in self.logs():
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if isinstance(fields, dict):
                lines.append(fields)
        return lines

    def delete(self, seconds=60):
        self._cloudformation.delete_stack(StackName=self.name)
        wait(self._cloudformation, self.name, "DELETE", seconds)


def deploy(aws, template, bootstrap, name="reprofile", parameters=None, region=HOME_REGION, seconds=120):
    """Packages and deploys; a stack of that name is updated. Returns the Stack, or raises StackFailed."""
    text = pathlib.Path(template).read_text(encoding="utf-8")
    return deploy_text(aws, text, package(bootstrap), name, parameters, region, seconds)


def deploy_text(aws, text, code, name, parameters=None, region=HOME_REGION, seconds=120):
    key = hashlib.sha256(code).hexdigest() + ".zip"
    bucket = upload(aws, key, code, region)
    return deploy_as_it_is(aws, CODE_URI.sub(rf"\1 s3://{bucket}/{key}", text), name, parameters, region, seconds)


def upload(aws, key, content, region=HOME_REGION):
    """Puts it into the bucket of deployments, under that key; returns the bucket's name."""
    s3, bucket = aws.client("s3", region), f"deployments-{region}"
    if bucket not in {existing["Name"] for existing in s3.list_buckets()["Buckets"]}:
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return bucket


def deploy_as_it_is(aws, text, name, parameters=None, region=HOME_REGION, seconds=120):
    """Deploys a template whose code is in a bucket already, as `aws cloudformation deploy` does."""
    cloudformation = aws.client("cloudformation", region)
    where = {"TemplateBody": text}
    if len(text.encode()) > TEMPLATE_BODY_LIMIT:
        bucket = upload(aws, f"{name}.yaml", text.encode(), region)
        where = {"TemplateURL": f"{aws.endpoint}/{bucket}/{name}.yaml"}
    request = {"StackName": name, "Capabilities": CAPABILITIES, **where, "Parameters": [
        {"ParameterKey": key, "ParameterValue": str(value)} for key, value in (parameters or {}).items()]}
    status = status_of(cloudformation, name)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):  # never came to be; sam deploy deletes such a stack, too
        cloudformation.delete_stack(StackName=name)
        wait(cloudformation, name, "DELETE", seconds)
        status = None
    try:
        if status:
            cloudformation.update_stack(**request)
        else:
            cloudformation.create_stack(**request)
    except cloudformation.exceptions.ClientError as error:
        reason = error.response["Error"]["Message"]
        if "No updates are to be performed" in reason:
            return Stack(aws, name, region)
        raise StackFailed(f"stack {name} is refused: {reason}") from None
    wait(cloudformation, name, "UPDATE" if status else "CREATE", seconds)
    return Stack(aws, name, region)


def package(bootstrap):
    """The zip that Lambda takes: the executable, called bootstrap. The same bytes give the same zip."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:  # stored: to compress a debug build takes longer than all else
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o755 << 16
        zipped.writestr(entry, pathlib.Path(bootstrap).read_bytes())
    return archive.getvalue()


def status_of(cloudformation, name):
    """The status of the stack of that name, or None if there is none."""
    try:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError:
        return None
    return None if stack["StackStatus"].startswith("DELETE") else stack["StackStatus"]


def wait(cloudformation, name, verb, seconds):
    """Waits until the stack has been created, updated or deleted; raises StackFailed with its events otherwise."""
    stack_id, deadline = name, time.monotonic() + seconds
    while True:
        try:
            [stack] = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        except cloudformation.exceptions.ClientError:
            if verb == "DELETE":
                return
            raise
        stack_id, status = stack["StackId"], stack["StackStatus"]
        if status == f"{verb}_COMPLETE":
            return
        over = time.monotonic() > deadline
        if over or not status.endswith("_IN_PROGRESS"):
            raise StackFailed(f"stack {name} is {status}{f' after {seconds} s' if over else ''}"
                              f"{': ' + stack['StackStatusReason'] if stack.get('StackStatusReason') else ''}"
                              f"{failures(cloudformation, stack_id)}")
        time.sleep(0.05)


def failures(cloudformation, stack_id):
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return "".join(f"\n  {event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatus']}: "
                   f"{event.get('ResourceStatusReason', 'no reason given')}"
                   for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED"))


def main():
    parser = argparse.ArgumentParser(description="deploys the template to a running local AWS")
    parser.add_argument("--endpoint", required=True, help="what server.py printed")
    parser.add_argument("--name", default="reprofile")
    parser.add_argument("--region", default=HOME_REGION)
    commands = parser.add_subparsers(dest="command", required=True)
    deploying = commands.add_parser("deploy")
    deploying.add_argument("--template", required=True)
    deploying.add_argument("--bootstrap", required=True)
    deploying.add_argument("parameters", nargs="*", metavar="Key=Value")
    commands.add_parser("delete")
    arguments = parser.parse_args()

    aws = LocalAws(arguments.endpoint)
    try:
        if arguments.command == "delete":
            Stack(aws, arguments.name, arguments.region).delete()
            return
        parameters = dict(parameter.partition("=")[::2] for parameter in arguments.parameters)
        stack = deploy(aws, arguments.template, arguments.bootstrap, arguments.name, parameters, arguments.region)
        print(json.dumps({"outputs": stack.outputs, "resources": stack.resources}, indent=2))
    except StackFailed as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()
