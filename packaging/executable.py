"""What the function's executable needs of the machine that starts it, and whether Lambda's provided.al2023 has that.

Invariant: everything is read from the file itself; nothing of this machine is taken for Lambda's.
"""

import dataclasses

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

# Amazon Linux 2023 stays with the glibc it began with. https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
LAMBDA_GLIBC = (2, 34)
# The loader and the parts of glibc, and libgcc, which glibc itself asks for.
LAMBDA_LIBRARIES = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
                    "libresolv.so.2", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
ARCHITECTURES = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}

WHAT_TO_DO = """\
Build where glibc is not newer, for example on Debian 12 or Amazon Linux 2023 or in a container of one:
    docker run --rm -v "$PWD":/src -w /src rust:1.95.0-bookworm cargo build --locked --release --bin bootstrap
Or let Cargo Lambda link against the older version, and package what it built:
    cargo lambda build --release --bin bootstrap {option} --target-dir target/lambda-build
(`make package BOOTSTRAP=PATH` packages the bootstrap at that path.)"""


class CannotStart(Exception):
    """An executable that Lambda could not start; says why, and what to do."""


@dataclasses.dataclass(frozen=True)
class Executable:
    """An ELF file: the architecture as Lambda calls it, the libraries it loads, the versions of glibc it names."""

    architecture: str
    libraries: frozenset
    glibc_versions: frozenset


def read(path):
    """What the file at that path needs; raises CannotStart if it is no executable for one of Lambda's architectures."""
    with open(path, "rb") as file:
        try:
            elf = ELFFile(file)
        except ELFError as error:
            raise CannotStart(f"{path} is not a Linux executable: {error}") from None
        machine = elf["e_machine"]
        if machine not in ARCHITECTURES:
            raise CannotStart(f"{path} is built for {machine}; Lambda has {' and '.join(TARGETS)}")
        libraries, versions = set(), set()
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                libraries |= {tag.needed for tag in section.iter_tags("DT_NEEDED")}
            if isinstance(section, GNUVerNeedSection):
                versions |= {version.name for _, needed in section.iter_versions() for version in needed}
        glibc = {version for version in map(glibc_version, versions) if version}
        return Executable(ARCHITECTURES[machine], frozenset(libraries), frozenset(glibc))


def glibc_version(symbol_version):
    """(2, 34) of "GLIBC_2.34"; None of what is not a version of glibc."""
    name, _, number = symbol_version.partition("_")
    if name != "GLIBC" or not number[:1].isdigit():
        return None
    return tuple(int(part) for part in number.split("."))


def obstacles(executable):
    """Why Lambda's provided.al2023 could not start it, a sentence each; none if it can."""
    reasons = []
    newest = max(executable.glibc_versions, default=(0,))
    if newest > LAMBDA_GLIBC:
        reasons.append(f"It needs glibc {dotted(newest)}; Lambda's provided.al2023 has {dotted(LAMBDA_GLIBC)}.")
    foreign = sorted(executable.libraries - LAMBDA_LIBRARIES)
    if foreign:
        reasons.append(f"It loads {', '.join(foreign)}, which provided.al2023 may not have.")
    return reasons


def check(path, executable):
    """Raises CannotStart if there is an obstacle."""
    reasons = obstacles(executable)
    if reasons:
        option = "--arm64" if executable.architecture == "arm64" else "--x86-64"
        raise CannotStart("\n".join([f"Lambda could not start {path}.", *reasons, WHAT_TO_DO.format(option=option)]))


def dotted(version):
    return ".".join(map(str, version))
