"""The bill of materials: the crates that are compiled into the function, as CycloneDX.

Invariant: it lists what cargo builds the function's package of, for the architecture of the zip, and no more: neither
tests, nor build scripts, nor macros, nor what only the command line needs.
"""

import datetime
import json
import os
import re
import subprocess
import tomllib
import uuid

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

FUNCTION = "reprofile"


def bill_of_materials(project, target, zip_digest):
    """The bill as JSON text; `target` is Rust's name of the architecture, `zip_digest` the SHA-256 of the zip."""
    compiled = compiled_crates(project, target)
    metadata = json.loads(cargo(project, "metadata", "--format-version", "1", "--filter-platform", target))
    lock = tomllib.loads((project / "Cargo.lock").read_text(encoding="utf-8"))
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in lock["package"]}
    crates = {package["id"]: package for package in metadata["packages"]
              if (package["name"], package["version"]) in compiled}
    components = {identity: component(package, checksums) for identity, package in crates.items()}
    [function] = [identity for identity, package in crates.items() if package["name"] == FUNCTION]

    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{zip_digest}"))
    bom.metadata.timestamp = moment()
    bom.metadata.component = components.pop(function)
    bom.metadata.component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=zip_digest))
    bom.components.update(components.values())
    components[function] = bom.metadata.component
    for node in metadata["resolve"]["nodes"]:
        if node["id"] in components:
            bom.register_dependency(components[node["id"]], [
                components[needed["pkg"]] for needed in node["deps"] if needed["pkg"] in components
                and any(kind["kind"] is None for kind in needed["dep_kinds"])])
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill of materials is not CycloneDX 1.6: {error}")
    return text


def compiled_crates(project, target):
    """Name and version of every crate in the function, by the features of the function's own package."""
    tree = cargo(project, "tree", "--package", FUNCTION, "--edges", "normal,no-proc-macro", "--target", target,
                 "--prefix", "none", "--format", "{p}")
    return set(re.findall(r"^(\S+) v(\S+)", tree, re.M))


def component(package, checksums):
    name, version = package["name"], package["version"]
    purl = PackageURL("cargo", name=name, version=version)
    digest = checksums.get((name, version))
    licence = (package["license"] or "").replace("/", " OR ")  # as older crates write it
    return Component(
        type=ComponentType.APPLICATION if name == FUNCTION else ComponentType.LIBRARY, name=name, version=version,
        bom_ref=purl.to_string(), purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"]))]
        if package["repository"] else [])


def moment():
    """Now; or what SOURCE_DATE_EPOCH says, for whoever makes the same package again.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.datetime.fromtimestamp(int(given), datetime.UTC) if given else datetime.datetime.now(datetime.UTC)


def cargo(project, *arguments):
    return subprocess.run(["cargo", *arguments, "--locked"], cwd=project, check=True, stdout=subprocess.PIPE,
                          text=True).stdout
