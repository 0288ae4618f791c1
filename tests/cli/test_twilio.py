"""``boomerang twilio``: the whole of it, against the stand-in for Twilio's API."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from boomerang.account.resources import Kind
from boomerang.cli import main
from tests.account.planted import APP, RETRY, SETTINGS, plant
from tests.fakes.twilio_api import MAIN, TOKEN, Asked, FakeTwilio, Refusal, served
from tests.fakes.twilio_records import record, sid_of, webhook_rule, webhook_setting
from tests.servers import wait_until

WELL, FAILED, PENDING = 0, 1, 2
GAPS, NOT_SEEN = 1, 2


class Account:
    """A stand-in, and the command that is run against it in a folder of its own."""

    def __init__(self, fake: FakeTwilio, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.file = folder / "boomerang.toml"
        self.settings(SETTINGS)

    def settings(self, text: str) -> None:
        self.file.write_text(f'{text}\n[account]\napi_url = "{self.fake.url}"\n')

    def command(self, *arguments: str) -> list[str]:
        return ["twilio", *arguments, "-c", str(self.file)]

    def __call__(self, *arguments: str) -> int:
        return main(self.command(*arguments))

    def start(
        self,
        *arguments: str,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int = subprocess.STDOUT,
    ) -> subprocess.Popen[str]:
        code = "from boomerang.cli import main; raise SystemExit(main())"
        root = str(Path(__file__).parents[2])
        return subprocess.Popen(
            [sys.executable, "-c", code, *self.command(*arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": root},
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def undo_files(self) -> list[Path]:
        return sorted(self.folder.glob("boomerang-undo-*.json"))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    with served(FakeTwilio()) as fake:
        yield Account(fake, tmp_path)


def number(fake: FakeTwilio, position: int, **given: object) -> str:
    made = record(Kind.NUMBER, position, MAIN, **given)
    fake.main.resources[Kind.NUMBER][made["sid"]] = made
    return str(made["sid"])


class TestLargeAccount:
    """1,500 numbers, 40 applications, 5 messaging services, every kind of gap planted."""

    def test_audit_apply_undo(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """Each gap is named and no other; one run closes them; undo restores the first state."""
        planted = plant(account.fake, numbers=1500, applications=40, services=5)
        first = account.fake.state()
        assert account("audit", "--json") == GAPS
        out = capsys.readouterr().out
        found = json.loads(out)
        assert {
            (each["sid"], each["url"], each["verdict"]) for each in found["findings"] if each["gap"]
        } == {(sid, url, verdict.value) for sid, url, verdict in planted}
        assert found["gaps"] == len(planted)
        assert not account.fake.updates()
        assert "hunter2" not in out

        assert account("apply", "--yes") == WELL
        assert len(account.fake.updates()) == len({sid for sid, _, _ in planted})
        assert account("audit") == WELL

        done = len(account.fake.updates())
        assert account("apply", "--yes") == WELL
        assert len(account.fake.updates()) == done

        (undo,) = account.undo_files()
        assert account("undo", str(undo), "--yes") == WELL
        assert account.fake.state() == first
        assert account("undo", str(undo), "--yes") == WELL
        assert account.fake.state() == first
        everything = capsys.readouterr()
        assert TOKEN not in everything.out + everything.err
        assert "hunter2" not in everything.out + everything.err

    def test_killed(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """Killed half-way, a rerun finishes, and the first undo file restores the first state."""
        plant(account.fake, numbers=1500, applications=40, services=5)
        first = account.fake.state()
        process = account.start("apply", "--yes")

        def kill(_: Asked) -> None:
            if len(account.fake.updates()) == 200:
                process.send_signal(signal.SIGKILL)

        account.fake.before_update = kill
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        account.fake.before_update = lambda _: None
        assert account.fake.state() != first
        assert account("audit") == GAPS

        assert account("apply", "--yes") == WELL
        assert account("audit") == WELL
        before, rest = (json.loads(each.read_text()) for each in account.undo_files())
        assert len(before["changes"]) == len(rest["changes"]) + 200
        assert account("undo", str(account.undo_files()[0]), "--yes") == WELL
        assert account.fake.state() == first
        capsys.readouterr()


class TestAudit:
    def test_table(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """A table for people."""
        sid = number(account.fake, 1, voice_url=APP)
        number(account.fake, 2, voice_url=APP, voice_fallback_url=RETRY)
        assert account("audit") == GAPS
        lines = capsys.readouterr().out.splitlines()
        assert lines[1].split() == [
            *("missing", "number", "number", "1", sid, "voice_fallback_url", "(none)"),
            RETRY,
        ]
        assert lines[2].startswith("covered")
        assert lines[-1] == "2 resources: 1 covered, 1 missing, 4 not used"
        assert account("audit", "--gaps") == GAPS
        assert "covered  " not in capsys.readouterr().out

    def test_nothing(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """An account with nothing in it has no gaps."""
        assert account("audit") == WELL
        assert capsys.readouterr().out == "0 resources: nothing\n"

    def test_subaccounts(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """Sub-accounts are looked at where they are asked for, by option or by setting."""
        sub = account.fake.add_subaccount(2)
        made = record(Kind.MESSAGING_SERVICE, 1, sub.sid, inbound_request_url=APP)
        sub.resources[Kind.MESSAGING_SERVICE][made["sid"]] = made
        assert account("audit") == WELL
        assert account("audit", "--subaccounts") == GAPS
        assert account("audit", "--account-subaccounts", "yes") == GAPS
        assert account("apply", "--subaccounts", "--yes") == WELL
        assert made["fallback_url"] == RETRY
        (undo,) = account.undo_files()
        assert account("undo", str(undo), "-y") == WELL
        assert made["fallback_url"] is None
        capsys.readouterr()

    def test_unseen(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What an API key cannot look at is said, and the status says so."""
        key = "SK" + "0" * 32
        account.fake.add_subaccount(2)
        account.fake.keys[key] = "key-secret"
        monkeypatch.setenv("TWILIO_API_KEY", key)
        monkeypatch.setenv("TWILIO_API_SECRET", "key-secret")
        assert account("audit") == WELL
        assert account("audit", "--subaccounts") == NOT_SEEN
        out, err = capsys.readouterr()
        assert "! not looked at: sub-account AC" in out
        assert account("apply", "--subaccounts", "--yes") == FAILED
        assert "not everything was looked at:\nsub-account AC" in capsys.readouterr().err
        assert "key-secret" not in out + err

    def test_webhooks_rule(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """A rule of the Webhooks API that leaves too little is a gap, which apply cannot close."""
        main_account = account.fake.main
        main_account.rules.append(webhook_rule("wr_1", "ws_1", prefix="https://boomerang."))
        main_account.settings["ws_1"] = webhook_setting(
            "ws_1", readTimeoutMs=12000, totalTimeoutMs=6000
        )
        number(account.fake, 1, voice_url=APP, voice_fallback_url=RETRY)
        assert account("audit") == GAPS
        assert "the Webhooks rule wr_1 leaves 6 s of 10 s" in capsys.readouterr().out
        assert account("apply", "--yes") == FAILED
        assert "! left as it is: number PN" in capsys.readouterr().out
        assert account.fake.updates() == []

    def test_no_webhooks_api(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """An account without the Webhooks API, which is in beta, is looked at all the same."""
        account.fake.webhooks = False
        assert account("audit") == WELL
        assert f"! the Webhooks rules of {MAIN} were not looked at: 404" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("settings", "token", "told"),
        [
            (SETTINGS, "wrong", "401: Authenticate (20003)"),
            (SETTINGS, "", "neither twilio.auth_token nor account.api_key is set"),
            (f'[twilio]\naccount_sid = "{MAIN}"', TOKEN, "public_url is not set"),
            ('public_url = "https://b.example.com"', TOKEN, "twilio.account_sid is not set"),
        ],
    )
    def test_cannot_look(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        settings: str,
        token: str,
        told: str,
    ) -> None:
        """What stands in the way is said; the status of an audit is then its own."""
        account.settings(settings)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", token)
        assert account("audit") == NOT_SEEN
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"boomerang: cannot look: {told}")
        assert account("apply", "--yes") == FAILED
        assert account.fake.updates() == []

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [(["--nonsense"], "option --nonsense"), (["--retry-wait", "99"], "wrong settings:")],
    )
    def test_misuse(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        told: str,
    ) -> None:
        """Nor does misuse look like a gap."""
        with pytest.raises(SystemExit) as end:
            account("audit", *arguments)
        assert end.value.code == NOT_SEEN
        assert capsys.readouterr().err.startswith(f"boomerang: {told}")

    def test_interrupted(self, account: Account) -> None:
        """Nor does Ctrl-C, while it looks."""
        account.fake.troubles = [(429, {"Retry-After": "30"}, b"{}")] * 2
        process = account.start("audit")
        wait_until(lambda: bool(account.fake.asked), what="a request")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, "boomerang: interrupted\n")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_output(self, account: Account) -> None:
        """Nor does an output that cannot be written."""
        number(account.fake, 1, voice_url=APP)
        with open("/dev/full", "w") as full:
            process = account.start("audit", stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (NOT_SEEN, "boomerang: No space left on device\n")


class TestApply:
    def test_not_without_yes(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """The plan is printed, and nothing is changed or written."""
        sid = number(account.fake, 1, voice_url=APP, voice_fallback_method="GET")
        assert account("apply") == PENDING
        assert capsys.readouterr().out.splitlines() == [
            f"~ update number {sid} number 1",
            f"    voice_fallback_url: (none) -> {RETRY}",
            "    voice_fallback_method: GET -> POST",
            "1 to update, 0 left as they are",
            "nothing was changed: boomerang twilio apply --yes does it",
        ]
        assert account.fake.updates() == []
        assert account.undo_files() == []

    def test_yes(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """Only what has to change is sent, and no primary URL is ever among it."""
        sid = number(account.fake, 1, voice_url=APP, sms_url=APP, status_callback=APP)
        assert account("apply", "--yes") == WELL
        (update,) = account.fake.updates()
        assert update.form.keys() == {"VoiceFallbackUrl", "SmsFallbackUrl", "StatusCallback"}
        assert capsys.readouterr().out.splitlines()[-1] == f"updated number {sid} number 1"

    def test_undo_file_first(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """The undo file is there before the first change, whole, and for its owner alone."""
        seen: list[str] = []
        number(account.fake, 1, voice_url=APP)
        number(account.fake, 2, voice_url=APP)
        account.fake.before_update = lambda _: seen.extend(
            each.read_text() for each in account.undo_files()
        )
        assert account("apply", "--yes") == WELL
        assert seen[0] == seen[1]
        assert len(json.loads(seen[0])["changes"]) == 2
        (undo,) = account.undo_files()
        assert stat.S_IMODE(undo.stat().st_mode) == 0o600
        assert f"what was there is in {undo.name}\n" in capsys.readouterr().out

    def test_no_undo_file(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that is there is not overwritten; without an undo file nothing is changed."""
        number(account.fake, 1, voice_url=APP)
        taken = account.folder / "taken.json"
        taken.write_text("precious")
        for name in (str(taken), "/nowhere/undo.json"):
            assert account("apply", "--yes", "--undo", name) == FAILED
            assert f"nothing was changed: cannot write {name}: " in capsys.readouterr().err
        assert taken.read_text() == "precious"
        assert account.fake.updates() == []

    def test_refused(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """It stops at the first refusal: what was done and what was not is told."""
        sids = [number(account.fake, position, voice_url=APP) for position in (1, 2, 3)]

        def refuse(asked: Asked) -> None:
            if sids[1] in asked.path:
                raise Refusal(400, 21421, "Nope")

        account.fake.before_update = refuse
        assert account("apply", "--yes", "--undo", "u.json") == FAILED
        out, err = capsys.readouterr()
        assert out.splitlines()[-3:] == [
            f"updated number {sids[0]} number 1",
            f"not done: update number {sids[1]} number 2",
            f"not done: update number {sids[2]} number 3",
        ]
        assert err == (
            f"boomerang: stopped at number {sids[1]} number 2:"
            " 400: Unable to update record: Nope (21421);"
            " 1 of 3 were done, and can be undone with u.json\n"
        )
        assert len(account.fake.updates()) == 2

    def test_interrupted(self, account: Account) -> None:
        """Ctrl-C is such a stop as well."""
        for position in range(1, 51):
            number(account.fake, position, voice_url=APP)
        process = account.start("apply", "--yes")

        def interrupt(_: Asked) -> None:
            if len(account.fake.updates()) == 10:
                process.send_signal(signal.SIGINT)

        account.fake.before_update = interrupt
        out, _ = process.communicate(timeout=60)
        assert process.returncode == FAILED
        assert "Traceback" not in out
        assert ": interrupted; " in out
        assert out.count("not done: ") + out.count("\nupdated ") == 50

    def test_closed_pipe(self, account: Account) -> None:
        """Whoever reads no further stops no change, and is told of them on the other output."""
        for position in (1, 2, 3):
            number(account.fake, position, voice_url=APP)
        reader, writer = os.pipe()
        account.fake.before_update = lambda _: (
            os.close(reader) if len(account.fake.updates()) == 2 else None
        )
        with os.fdopen(writer, "w") as pipe:
            arguments = ("apply", "--yes", "--undo", "u.json")
            process = account.start(*arguments, stdout=pipe, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=60)
        assert len(account.fake.updates()) == 3
        assert (process.returncode, err) == (
            FAILED,
            "boomerang: 3 of 3 were done, and can be undone with u.json;"
            " that could not be written: Broken pipe\n",
        )

    def test_closed_pipe_from_the_first(self, account: Account) -> None:
        """Nor does whoever reads nothing; what was refused is told on the other output, too."""
        sids = [number(account.fake, position, voice_url=APP) for position in (1, 2)]

        def refuse(asked: Asked) -> None:
            if sids[1] in asked.path:
                raise Refusal(400, 21421, "Nope")

        account.fake.before_update = refuse
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            arguments = ("apply", "--yes", "--undo", "u.json")
            process = account.start(*arguments, stdout=pipe, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (
            FAILED,
            f"boomerang: not done: update number {sids[1]} number 2\n"
            f"boomerang: stopped at number {sids[1]} number 2:"
            " 400: Unable to update record: Nope (21421);"
            " 1 of 2 were done, and can be undone with u.json\n",
        )

    def test_progress(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where somebody looks on, there is a bar in the place of a line for each change."""
        for position in (1, 2):
            number(account.fake, position, voice_url=APP)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert account("apply", "--yes") == WELL
        out = capsys.readouterr().out
        half, whole = "#" * 15 + "-" * 15, "#" * 30
        assert out.endswith(f"\r[{half}] 1/2\r[{whole}] 2/2\n")


class TestUndo:
    def test_not_without_yes(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """What would be put back is printed."""
        number(account.fake, 1, voice_url=APP)
        account("apply", "--yes", "--undo", "u.json")
        capsys.readouterr()
        assert account("undo", "u.json") == PENDING
        assert capsys.readouterr().out.splitlines()[1:] == [
            f"    voice_fallback_url: {RETRY} -> (none)",
            "1 to update, 0 left as they are",
            "nothing was changed: boomerang twilio undo u.json --yes does it",
        ]
        assert len(account.fake.updates()) == 1

    def test_changed_since(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """What somebody else has set since then is not touched."""
        sid = number(account.fake, 1, voice_url=APP)
        account("apply", "--yes", "--undo", "u.json")
        made = account.fake.main.resources[Kind.NUMBER][sid]
        made["voice_fallback_url"] = "https://somebody.example.com/"
        assert account("undo", "u.json", "--yes") == FAILED
        assert made["voice_fallback_url"] == "https://somebody.example.com/"
        assert f"! left as it is: number {sid} voice_fallback_url" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (None, "cannot read u.json: No such file or directory"),
            (b"\xff", "cannot read u.json: it is not UTF-8"),
            (b"{}", "u.json is no undo file: its format is not"),
        ],
    )
    def test_wrong_file(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        text: bytes | None,
        told: str,
    ) -> None:
        """A file that is none is refused before anybody is asked."""
        if text is not None:
            (account.folder / "u.json").write_bytes(text)
        assert account("undo", "u.json", "--yes") == FAILED
        assert capsys.readouterr().err.startswith(f"boomerang: {told}")
        assert account.fake.asked == []

    def test_cannot_look(
        self,
        account: Account,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where it cannot look it changes nothing."""
        number(account.fake, 1, voice_url=APP)
        account("apply", "--yes", "--undo", "u.json")
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", "wrong")
        assert account("undo", "u.json", "--yes") == FAILED
        assert capsys.readouterr().err.startswith("boomerang: cannot look: 401: ")
        assert sid_of(Kind.NUMBER, 1) in account.fake.updates()[0].path
        assert len(account.fake.updates()) == 1
