"""Packages the built function, so that nobody has to compile who installs it.

Writes into --output, for the architecture that the executable was built for:

    reprofile-ARCH.zip        the code
    reprofile-ARCH.cdx.json   the bill of materials, CycloneDX 1.6
    package.yaml              the template, without the SAM transform; the same for each architecture
    SHA256SUMS                of all files in that folder, for `sha256sum --check`

Invariant: an executable that Lambda could not start is refused; the same executable gives the same zip.

    python package.py --bootstrap target/release/bootstrap [--output target/package]
"""

import argparse
import hashlib
import io
import pathlib
import subprocess
import sys
import tomllib
import zipfile

import executable
import expanded
import sbom

PROJECT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description="packages the built function, for whoever installs it")
    parser.add_argument("--bootstrap", required=True, type=pathlib.Path, help="the built Lambda function")
    parser.add_argument("--output", type=pathlib.Path, default=PROJECT / "target/package",
                        help="default: target/package")
    parser.add_argument("--even-if-lambda-cannot-start-it", action="store_true",
                        help="do not look at glibc: for tests on this machine")
    arguments = parser.parse_args()
    if not arguments.bootstrap.is_file():
        sys.exit(f"package: there is no {arguments.bootstrap}; build it with: make release")
    try:
        made = package(arguments.bootstrap, arguments.output, arguments.even_if_lambda_cannot_start_it)
    except executable.CannotStart as reason:
        sys.exit(f"package: {reason}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"package: {' '.join(failed.cmd)} failed")
    for path in made:
        print(f"{path.stat().st_size:>12,}  {path}")


def package(bootstrap, output, even_if_it_cannot_start=False):
    """Writes the package; returns the paths of its files."""
    needs = executable.read(bootstrap)
    if not even_if_it_cannot_start:
        executable.check(bootstrap, needs)
    name = f"reprofile-{needs.architecture}"
    code = zipped(bootstrap.read_bytes())
    template = (PROJECT / "template.yaml").read_text(encoding="utf-8")
    files = {
        f"{name}.zip": code,
        "package.yaml": expanded.expand(template, version()).encode(),
        f"{name}.cdx.json": sbom.bill_of_materials(
            PROJECT, executable.TARGETS[needs.architecture], digest(code)).encode(),
    }
    output.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (output / file).write_bytes(content)
    # The other architecture may have been packaged before.
    everything = [output / "package.yaml", *sorted(output.glob("reprofile-*"))]
    sums = output / "SHA256SUMS"
    sums.write_text("".join(f"{digest(path.read_bytes())}  {path.name}\n" for path in everything), encoding="utf-8")
    return [*everything, sums]


def zipped(bootstrap):
    """The zip that Lambda takes: one executable called bootstrap, without a time or an owner."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))  # the first moment that a zip can hold
        entry.create_system = 3  # Unix: what the mode below belongs to
        entry.external_attr = 0o100755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        file.writestr(entry, bootstrap)
    return archive.getvalue()


def version():
    with open(PROJECT / "Cargo.toml", "rb") as file:
        return tomllib.load(file)["workspace"]["package"]["version"]


def digest(content):
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
