"""Ask whether a known vulnerability is in what boomerang runs on; list versions and licences.

What is looked at is what is installed for the daemon with all its extras, not the tools of the
tests. The one thing that fails is a vulnerability that was found. That no service could be asked
is said so that nobody takes it for a good answer; with --strict it fails, too. pip-audit itself
says "No known vulnerabilities found" where an index has no answer at all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("notify", "otlp")

SERVICES = ("osv", "pypi")

PATIENCE = 300.0
"""Seconds for all questions to one service."""


def needed(name: str, extras: Iterable[str]) -> Mapping[str, Distribution]:
    """The installed packages that a package needs with these extras, but not itself."""
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, str]] = set()
    open_ = [(name, extra) for extra in ("", *extras)]
    while open_:
        package, extra = open_.pop()
        if (package, extra) in asked:
            continue
        asked.add((package, extra))
        try:
            found[package] = distribution(package)
        except PackageNotFoundError:  # meant for another platform, or another version of Python
            continue
        for line in found[package].requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                open_ += [(canonicalize_name(wanted.name), each) for each in ("", *wanted.extras)]
    del found[name]
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """What a package says of its licence, in a few words."""
    about = package.metadata
    expression, words = (about.get_all(name, []) for name in ("License-Expression", "License"))
    said = [*expression, *(each for each in words if len(each) <= 40)]  # some are a whole text
    classifiers = [each for each in about.get_all("Classifier", []) if each.startswith("License")]
    return str([*said, *(each.rpartition(" :: ")[2] for each in classifiers), "unknown"][0])


def asked(packages: Iterable[Distribution], service: str, osv_url: str | None) -> Mapping[str, Any]:
    """pip-audit's report on some packages, empty where there is none."""
    with tempfile.TemporaryDirectory() as directory:
        pins = Path(directory) / "requirements.txt"
        pins.write_text("".join(f"{each.name}=={each.version}\n" for each in packages))
        command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service]
        command += ["--requirement", str(pins), "--no-deps", "--disable-pip", "--format", "json"]
        command += ["--progress-spinner", "off", "--cache-dir", directory]
        command += ["--osv-url", osv_url] if osv_url else []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            report = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return {}
    return report if isinstance(report, dict) else {}


def told(report: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """The vulnerabilities of each package that the service has told of, be there any or none."""
    return {
        entry["name"]: [
            f"{each['id']} (mended in {', '.join(each['fix_versions']) or 'no version yet'})"
            for each in entry["vulns"]
        ]
        for entry in report.get("dependencies", ())
        if "vulns" in entry
    }


def main(arguments: Sequence[str]) -> int:
    """Look, and say what was found; 1 for a vulnerability."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail where nobody could be asked")
    parser.add_argument("--osv-url", help="ask this service alone, which speaks OSV's API")
    options = parser.parse_args(arguments)
    if find_spec("pip_audit") is None:
        parser.error("pip-audit is not installed: make .venv/.installed-test")
    packages = needed("boomerang", EXTRAS)
    for name, package in packages.items():
        print(f"{name:45} {package.version:12} {licence(package)}")
    known: dict[str, Sequence[str]] = {}
    for service in ("osv",) if options.osv_url else SERVICES:
        left = [each for name, each in packages.items() if name not in known]
        for some in (left[:1], left[1:]):  # one that knows nothing of the first is not there
            found = told(asked(some, service, options.osv_url)) if some else {}
            known.update({canonicalize_name(name): each for name, each in found.items()})
            if not found:
                break
    return verdict(packages, known, strict=options.strict)


def verdict(packages: Iterable[str], known: Mapping[str, Sequence[str]], *, strict: bool) -> int:
    """Say it, the vulnerabilities at the end where nobody overlooks them."""
    packages = [*packages]
    unknown = [name for name in packages if name not in known]
    print()
    if unknown:
        print(
            f"AUDIT NOT DONE for {len(unknown)} of {len(packages)} packages: no service that knows"
            f" vulnerabilities could be asked about {', '.join(unknown[:5])}"
            f"{' and others' if len(unknown) > 5 else ''}"
        )
    if len(unknown) < len(packages):
        print(f"AUDIT DONE for {len(packages) - len(unknown)} of {len(packages)} packages")
    for name, found in known.items():
        for each in found:
            print(f"VULNERABLE: {name}: {each}")
    return int(any(known.values()) or (strict and bool(unknown)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
