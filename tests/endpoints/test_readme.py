"""README says of the endpoint table what the code does."""

from __future__ import annotations

from boomerang.endpoints.fallback import Document, Redirect
from boomerang.settings import Sources, load_settings
from boomerang.settings.endpoints import Endpoint
from boomerang.settings.load import keys_of
from tests.integration.daemon import ROOT
from tests.integration.test_deployment import table


def test_keys_table() -> None:
    """README's table has every key of an endpoint, in their order, and no other."""
    assert table("`[[endpoint]]`") == [declared.name for declared in keys_of(Endpoint)]


def test_example() -> None:
    """README's example is a good one."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Endpoints\n")[2]
    example = section.partition("```toml\n")[2].partition("```\n")[0]
    files = {"conf/ready.xml": b"<Response><Say>One moment.</Say></Response>"}

    settings = load_settings(
        Sources(file=example, file_name="conf/boomerang.toml", read=files.__getitem__)
    )

    ready, ended = settings.endpoint
    assert settings.retry.fallback is not None
    assert settings.retry.fallback.messaging is None
    assert ready.fallback is not None
    assert isinstance(ready.fallback.voice, Document)
    assert isinstance(ready.fallback.messaging, Redirect)
    assert (ended.mode, ended.retry) == ("async", False)
