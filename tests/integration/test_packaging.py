"""Installed, boomerang is found from everywhere, with all that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
from attrs import frozen

from boomerang import __version__
from tests.integration.daemon import ROOT, TWISTD, environment

_NOT_SOURCE = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "dropin.cache", "*.db*"
)


@frozen
class Installation:
    """A virtual environment with boomerang in it, and with the tests' own dependencies in sight."""

    environment: Path
    source: Path
    editable: bool

    @property
    def site_packages(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages")
        return found

    def run(self, program: str, *arguments: str) -> str:
        """The output of a program of the environment, started in a directory that has nothing."""
        empty = self.environment / "empty"
        empty.mkdir(exist_ok=True)
        surroundings = environment()
        del surroundings["PYTHONPATH"]
        done = subprocess.run(
            [str(self.environment / "bin" / program), *arguments],
            cwd=empty,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        return self.run("python", "-c", code).strip()


@pytest.fixture(scope="module", params=[False, True], ids=["regular", "editable"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Boomerang, installed by pip from a copy of the checkout, without network."""
    setuptools = tuple(map(int, version("setuptools").split(".")[:2]))
    assert setuptools >= (70, 1), "the first that builds wheels without the package wheel"
    directory = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, directory / "source", ignore=_NOT_SOURCE)
    venv.create(directory / "venv", symlinks=True)
    installed = Installation(directory / "venv", directory / "source", editable=request.param)
    dependencies = [path for path in sys.path if Path(path).name == "site-packages"]
    (installed.site_packages / "dependencies.pth").write_text("\n".join(dependencies))
    installed.run(
        *("python", "-m", "pip", "install", "--quiet", "--no-index"),
        *("--no-deps", "--no-build-isolation", *(["--editable"] if request.param else [])),
        str(installed.source),
    )
    return installed


def test_daemon_is_found(installed: Installation) -> None:
    """``twistd`` knows boomerang, from any directory."""
    (line,) = [
        line for line in installed.run("python", TWISTD, "--help").splitlines() if "boom" in line
    ]

    assert line.split() == ["boomerang", "Failover", "host", "for", "Twilio", "applications."]
    assert __version__ in installed.run("python", TWISTD, "-n", "boomerang", "--version")


def test_tool_is_found(installed: Installation) -> None:
    """The command ``boomerang`` runs."""
    assert installed.run("boomerang", "--version") == f"boomerang {__version__}\n"
    assert "the settings are good" in installed.run("boomerang", "check-config")


def test_it_is_the_installed_one(installed: Installation) -> None:
    """What runs is what was installed: package, plugin, script of Redis, mark of being typed."""
    files = installed.python(
        "import boomerang.stores, twisted.plugins.boomerang_plugin as plugin\n"
        "from importlib.resources import files\n"
        "print(files('boomerang') / 'py.typed')\n"
        "print(files('boomerang.stores') / 'claim.lua')\n"
        "print(plugin.__file__)"
    )

    base = installed.source if installed.editable else installed.site_packages
    expected = ("boomerang/py.typed", "boomerang/stores/claim.lua")
    plugin = "twisted/plugins/boomerang_plugin.py"
    assert files.splitlines() == [str(base / name) for name in (*expected, plugin)]
    assert all(Path(file).is_file() for file in files.splitlines())


def test_nothing_else_is_installed(installed: Installation) -> None:
    """Neither the tests nor the benchmarks land among everybody's packages."""
    found = {path.name for path in installed.site_packages.iterdir()} - {"dependencies.pth"}

    mark = f"boomerang-{__version__}.dist-info"
    if installed.editable:
        (link,) = found - {mark}
        assert (installed.site_packages / link).read_text().strip() == str(installed.source)
    else:
        assert found == {mark, "boomerang", "twisted"}
