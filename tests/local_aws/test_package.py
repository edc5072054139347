"""The package that people install: what is in it, and that it deploys and heals without the SAM transform.

Invariant: the debug build is packaged, so no test waits for a release build; everything but its size is the same.
"""

import collections
import json
import re
import subprocess
import sys
import zipfile

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

import deployment
import stack as stacks
from account import LocalAws, eventually

sys.path.insert(0, str(deployment.PROJECT / "packaging"))

import executable  # noqa: E402
import expanded  # noqa: E402
import package as packaging  # noqa: E402

KEY = "reprofile/1/{}"
SOURCE = (deployment.PROJECT / "template.yaml").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the package of the debug build; it may have been built where glibc is newer than Lambda's."""
    folder = tmp_path_factory.mktemp("package")
    packaging.package(deployment.BOOTSTRAP, folder, even_if_it_cannot_start=True)
    return folder


def one(folder, pattern):
    [path] = folder.glob(pattern)
    return path


# ----------------------------------------------------------------------------------------------------------- the zip


def test_the_zip_holds_one_executable_and_is_the_same_each_time(made):
    path = one(made, "reprofile-*.zip")
    with zipfile.ZipFile(path) as zipped:
        [entry] = zipped.infolist()
        assert (entry.filename, entry.external_attr >> 16, entry.create_system) == ("bootstrap", 0o100755, 3)
        assert zipped.read(entry) == deployment.BOOTSTRAP.read_bytes()
    assert packaging.zipped(deployment.BOOTSTRAP.read_bytes()) == path.read_bytes()


def test_sha256sum_finds_every_file_as_it_was_made(made):
    checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made, text=True,
                             capture_output=True)
    assert checked.returncode == 0, checked.stderr
    listed = {line.partition(":")[0] for line in checked.stdout.splitlines()}
    assert listed == {path.name for path in made.iterdir()} - {"SHA256SUMS"}


# ------------------------------------------------------------------------------------------- what Lambda can start


def needing(versions=("GLIBC_2.34",), libraries=("libc.so.6",)):
    return executable.Executable("arm64", frozenset(libraries), frozenset(map(executable.glibc_version, versions)))


@pytest.mark.parametrize("versions, reason", [
    (["GLIBC_2.17", "GLIBC_2.34"], None),
    ([], None),  # linked statically
    (["GLIBC_2.9", "GLIBC_2.39"], "needs glibc 2.39; Lambda's provided.al2023 has 2.34"),
    (["GLIBC_2.34.1"], "needs glibc 2.34.1"),
    (["GLIBC_2.100"], "needs glibc 2.100"),
])
def test_an_executable_that_needs_a_newer_glibc_than_lambda_has_is_refused(versions, reason):
    if reason is None:
        executable.check("bootstrap", needing(versions))
        return
    with pytest.raises(executable.CannotStart, match=re.escape(reason)) as refused:
        executable.check("bootstrap", needing(versions))
    assert "cargo lambda build --release --bin bootstrap --arm64" in str(refused.value)


def test_an_executable_that_loads_a_library_of_another_package_is_refused():
    [reason] = executable.obstacles(needing(libraries=["libc.so.6", "libssl.so.3"]))
    assert "libssl.so.3" in reason


def test_private_versions_of_glibc_are_no_numbers():
    assert [executable.glibc_version(text) for text in ("GLIBC_2.34", "GLIBC_PRIVATE", "GCC_3.0")] == [
        (2, 34), None, None]


def test_architecture_libraries_and_versions_are_read_from_the_executable_itself():
    needs = executable.read(deployment.BOOTSTRAP)
    assert needs.architecture in executable.TARGETS
    assert "libc.so.6" in needs.libraries
    assert min(needs.glibc_versions) >= (2, 2)


def test_what_is_no_linux_executable_is_refused(tmp_path):
    script = tmp_path / "bootstrap"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(executable.CannotStart, match="not a Linux executable"):
        executable.read(script)


# ------------------------------------------------------------------------------------------- the bill of materials


def test_the_bill_lists_the_crates_of_the_function_and_of_nothing_else(made):
    bill = json.loads(one(made, "*.cdx.json").read_text())
    names = {component["name"] for component in bill["components"]}
    assert {"reprofile-core", "reprofile-aws", "aws-sdk-ec2", "lambda_runtime", "rustls", "tokio"} <= names
    others = {"clap", "reprofile-command-line", "insta", "proptest", "serde_derive", "cc"}
    assert names & others == set()
    function = bill["metadata"]["component"]
    assert function["name"] == "reprofile"
    [digest] = [line.split()[0] for line in (made / "SHA256SUMS").read_text().splitlines() if line.endswith(".zip")]
    assert {"alg": "SHA-256", "content": digest} in function["hashes"]
    needed = {edge["ref"]: edge.get("dependsOn", []) for edge in bill["dependencies"]}
    assert any(ref.startswith("pkg:cargo/reprofile-core@") for ref in needed[function["bom-ref"]])
    reached, ahead = set(), [function["bom-ref"]]
    while ahead:
        ref = ahead.pop()
        if ref not in reached:
            reached.add(ref)
            ahead += needed[ref]
    assert reached == {component["bom-ref"] for component in bill["components"]} | {function["bom-ref"]}


# --------------------------------------------------------------------------------------------------- the template


@pytest.fixture(scope="module")
def plain(made):
    return one(made, "*.yaml").read_text()


def test_the_packaged_template_is_plain_cloudformation_that_needs_no_bucket(plain):
    assert "Transform" not in yaml.safe_load(plain)
    assert "AWS::Serverless" not in plain and "rust-cargolambda" not in plain
    assert not re.search(r"(?m)^\s*\S*:? ?[&*]id\d+", plain)  # CloudFormation takes no YAML anchors
    assert len(plain.encode()) <= stacks.TEMPLATE_BODY_LIMIT


def test_the_packaged_template_keeps_every_parameter_and_each_use_of_it(plain):
    packaged, source = yaml_parse(plain), yaml_parse(SOURCE)
    parameters = source["Parameters"]
    kept = set(parameters) - {"Architecture"}
    assert set(packaged["Parameters"]) == kept | {"CodeBucket", "CodeKey"}
    assert [name for name in kept if packaged["Parameters"][name] != parameters[name]] == []
    assert uses(packaged, kept) == uses(source, kept)  # else the translator wrote a default in
    groups = packaged["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(packaged["Parameters"])


def uses(node, parameters):
    """How often each of these parameters stands in a Ref or a Sub below that node."""
    found = collections.Counter()
    if isinstance(node, dict):
        found += collections.Counter(name for name in parameters if node.get("Ref") == name)
        node = list(node.values())
    if isinstance(node, list):
        return sum(map(lambda inner: uses(inner, parameters), node), found)
    if isinstance(node, str):
        found += collections.Counter(name for name in re.findall(r"\${(\w+)}", node) if name in parameters)
    return found


@pytest.mark.parametrize("folder", ["", "reprofile/1.2.3/", "a.b/reprofile/v1/"])
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_packaged_template_reads_the_architecture_from_the_key(plain, folder, architecture):
    template, key = yaml.safe_load(plain), f"{folder}reprofile-{architecture}.zip"
    assert re.search(template["Parameters"]["CodeKey"]["AllowedPattern"], key)
    [function] = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    assert [evaluated(one, key) for one in function["Properties"]["Architectures"]] == [architecture]


def evaluated(node, key):
    """What CloudFormation makes of these functions where CodeKey is that key."""
    if not isinstance(node, dict):
        return node
    [(function, argument)] = node.items()
    match function:
        case "Fn::Sub":
            return argument.replace("${CodeKey}", key)
        case "Fn::Split":
            return evaluated(argument[1], key).split(argument[0])
        case "Fn::Select":
            return evaluated(argument[1], key)[argument[0]]
    raise NotImplementedError(function)


@pytest.mark.parametrize("key", [
    "/a/reprofile-arm64.zip", "a/reprofile-arm64xzip", "a/reprofile-arm64.zip.sig", "a/reprofile-riscv.zip", "a/code.zip",
    "a/my-reprofile-arm64.zip", "reprofile-old/reprofile-arm64.zip", "a/reprofile-x86_64.zip/reprofile-arm64.zip"])
def test_the_packaged_template_takes_no_key_that_hides_the_architecture(plain, key):
    assert not re.search(yaml.safe_load(plain)["Parameters"]["CodeKey"]["AllowedPattern"], key)


def test_the_cost_page_counts_the_alarms_that_the_template_makes(plain):
    alarms = [one for one in yaml.safe_load(plain)["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    [counted] = re.findall(r"(\d+) alarms × ", (deployment.PROJECT / "docs/cost.md").read_text())
    assert len(alarms) == int(counted)


@pytest.fixture(scope="module")
def deployed(made, plain):
    """The package, deployed without the SAM transform and with parameters that are not the defaults."""
    with LocalAws() as aws:
        aws.settings(**deployment.QUICK)
        path = one(made, "*.zip")
        key = KEY.format(path.name)
        bucket = stacks.upload(aws, key, path.read_bytes())
        yield deployment.Reprofile(aws, stacks.deploy_as_it_is(aws, plain, "from-package", parameters={
            "CodeBucket": bucket, "CodeKey": key, "SettleSeconds": 0, "Timeout": 60, "RoleName": "other",
            "Dashboard": "no", "AlertEmail": "someone@example.com"}))


def test_the_packaged_template_deploys_what_its_parameters_say(deployed):
    configuration = deployed.stack.function_configuration()
    assert (configuration["Timeout"], configuration["Role"].rpartition("/")[2]) == (60, "other")
    assert configuration["Environment"]["Variables"]["REPROFILE_SETTLE_SECONDS"] == "0"
    assert configuration["Architectures"] == [executable.read(deployment.BOOTSTRAP).architecture]
    assert deployed.queue_attribute("VisibilityTimeout") == 380
    assert deployed.stack.of_type("AWS::CloudWatch::Dashboard") == {}
    assert len(deployed.stack.of_type("AWS::Lambda::EventSourceMapping")) == 1


def test_the_packaged_function_heals_an_instance(deployed, name):
    aws = deployed.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    deployed.until_idle()
    aws.console_delete_role(name)
    aws.console_create_role(name)
    eventually(lambda: aws.healed(instance, name))
    assert deployed.alert(name, "HEALED")["attributes"]["severity"] == "info"
