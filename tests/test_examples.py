"""The settings files among the examples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.load import Sources, load_settings
from boomerang.stores.address import RedisAddress, parse_store

EXAMPLES: Final = Path(__file__).parent.parent / "examples"

PRODUCTION: Final = "impact-dialing.toml"
STAGING: Final = "impact-dialing-staging.toml"

STATUS_PASSWORD: Final = {"BOOMERANG_STATUS_PASSWORD": "secret"}
"""The secret without which ``[status]`` makes no sense, and which is left to the environment."""

PROVIDERS: Final = {
    "in front of everything": {"cloudflare"},
    "the cloud": {"ec2", "rds", "route53"},
    "on the cloud": {"heroku", "redislabs", "twilio", "pusher", "usersnap"},
}
"""What Impact Dialing depends on, by layers, as its owners' notes have it."""

DIFFERENCES: Final = {"rds", "redislabs", "app", "boomerang"}
"""Checks of what each environment has of its own."""


def loaded(name: str) -> Settings:
    path = EXAMPLES / name
    text = path.read_text()
    environment = STATUS_PASSWORD if "[status]" in text else {}
    return load_settings(Sources(environment=environment, file=text, file_name=str(path)))


def checks_of(name: str) -> Mapping[str, Check]:
    return {check.name: check for check in loaded(name).check}


def plain(settings: Settings) -> dict[str, Any]:
    """The settings by name, without the checks."""
    return attrs.asdict(settings, filter=lambda attribute, _: attribute.name != "check")


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_loads(name: str) -> None:
    """Each example is a file that boomerang takes, with the secrets in the environment."""
    loaded(name)


@pytest.mark.parametrize("name", [PRODUCTION, STAGING])
class TestImpactDialing:
    def test_providers(self, name: str) -> None:
        """The app, this host and each provider have a check, and nothing else has."""
        providers = set().union(*PROVIDERS.values())
        assert checks_of(name).keys() == {"app", "boomerang", *providers}

    def test_tree(self, name: str) -> None:
        """Checks depend on the layers below only; the app on all that it cannot do without."""
        checks = checks_of(name)
        needs = {each: set(check.depends_on) for each, check in checks.items()}
        assert needs.pop("app") == set().union(*PROVIDERS.values()) - {"ec2", "usersnap"}
        assert needs.pop("boomerang") == {"heroku"}
        on_ec2 = {each for each, needed in needs.items() if needed == {"ec2"}}
        assert on_ec2 == {"rds", *PROVIDERS["on the cloud"]} - {"usersnap"}
        assert not any(needs[each] for each in needs.keys() - on_ec2)

    def test_web_processes(self, name: str) -> None:
        """Alerts fire when the app or this host do not answer within 5 seconds."""
        settings, checks = loaded(name), checks_of(name)
        critical = {each for each, check in checks.items() if check.critical}
        assert critical == {"app", "boomerang"}
        for each in critical:
            assert (checks[each].slow, checks[each].timeout) == (5, 10)
        assert checks["boomerang"].url == f"{settings.public_url}/health"

    def test_no_secrets(self, name: str) -> None:
        """The only password is one that is still to be put in, from the environment."""
        passwords = []
        for check in checks_of(name).values():
            if check.kind == "redis":
                address = parse_store(check.url)
                assert isinstance(address, RedisAddress)
                passwords.append(address.password)
            else:
                assert "@" not in check.url
        assert passwords == ["$REDISLABS_PASSWORD"]
        text = (EXAMPLES / name).read_text()
        assert not re.search(r"(?im)^\s*\w*(token|password|secret|key)\w*\s*=", text)

    def test_how_to_run(self, name: str) -> None:
        """The head of the file tells how it is run, by its own name."""
        head = (EXAMPLES / name).read_text().partition("\n\n")[0]
        assert f"twistd -n boomerang --config examples/{name}\n" in head
        assert f"< examples/{name} >" in head


def test_differences() -> None:
    """Production and staging differ in their addresses, and in nothing else."""
    production, staging = plain(loaded(PRODUCTION)), plain(loaded(STAGING))
    different = {name for name in production if production[name] != staging[name]}
    assert different == {"public_url", "environment", "allowed_hosts"}
    assert production["public_url"] == "https://impactdialing-monitor.herokuapp.com"
    assert staging["public_url"] == "https://impactdialing-staging.herokuapp.com"
    here, there = checks_of(PRODUCTION), checks_of(STAGING)
    assert list(here) == list(there)
    for name, check in here.items():
        assert (check.url != there[name].url) == (name in DIFFERENCES)
        assert attrs.evolve(check, url="") == attrs.evolve(there[name], url="")
