"""Signatures, held to Twilio's own vectors and to what its SDK computes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator

from boomerang.web.signature import SETTINGS, SIGNATURE, Keys, Signed, is_genuine
from tests.vectors import TOKEN, F, P

KEYS = Keys(tokens=(TOKEN,))

TARGET = "/myapp.php?foo=1&bar=2"
SORRY = "FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"
HOST = "https://mycompany.com"
BOOMERANG = "https://boomerang.example.com"
LONG = '{"property": "value", "boolean": true}'
LONG_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
SHORT_HASH = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


class Multi(dict[str, list[str]]):
    """Parameters as the SDK takes them where a name may have several values."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def multi(form: Any) -> Multi:
    fields = Multi()
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return fields


def sdk(url: str, form: Any = (), *, token: str = TOKEN, algorithm: str = HMAC_SHA1) -> str:
    """The signature that Twilio's own SDK computes."""
    return str(RequestValidator(token).compute_signature(url, multi(form), algorithm))


def signed(
    base: str,
    target: str = TARGET,
    form: Any = (),
    *,
    signature: str | None,
    settings: str | None = None,
    body: str = "",
) -> Signed:
    return Signed((base,), target, tuple(form), body.encode(), signature, settings)


VECTORS = [
    (HOST, TARGET, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (f"{HOST}:443", TARGET, P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    ("http://mycompany.com:80", TARGET, P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ("http://mycompany.com:1234", TARGET, P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    (
        "https://example.com",
        TARGET,
        [(name, value.replace("5309", "5310")) for name, value in P],
        "L/OH5YylLD5NRKLltdqwSvS0BnU=",
    ),
    (
        HOST,
        TARGET,
        [("Sid", "CA123"), ("SidAccount", "AC123")]
        + [("Digits", digits) for digits in ("5678", "1234", "1234")],
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
    ),
    (
        HOST,
        TARGET,
        [("MessagingBinding.Address", number) for number in ("+1325xxxxxxx", "+1415xxxxxxx")],
        "83O6e2vORAoJHUNzJjDWN1jz+BA=",
    ),
    (HOST, f"{TARGET}&Body=It%27s+amazing", P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
    ("https://user:pass@mycompany.com", TARGET, P, "CukzLTc1tT5dXEDIHm/tKBanW10="),
    (BOOMERANG, "/retry", F, "nXhGKyouGU65E0BIdHDva4um/vM="),
    (BOOMERANG, f"/retry?{SORRY}&FallbackMethod=GET", F, "nIqR6u1aKJAmi54dh52jDDTMc6U="),
    (
        BOOMERANG,
        "/retry?FallbackUrl=https://static.example.com/sorry.xml",
        F,
        "WBIdosm5xz8Ui2calQu4eDdDFFc=",
    ),
    (BOOMERANG, f"/retry?{SORRY}&{urlencode(F)}", (), "2qAmXE+7kij6dukUoZAL8p5kqFY="),
]

SHA256_VECTORS = [
    (HOST, TARGET, P, "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
    (BOOMERANG, "/retry", F, "M7f/yLoxCkhW9yteek3qd11wc4jvLeEZDn9tBvups5U="),
]


@pytest.mark.parametrize(("base", "target", "form", "signature"), VECTORS)
class TestVectors:
    def test_genuine(self, base: str, target: str, form: Any, signature: str) -> None:
        """Every vector of Twilio's is accepted, and is what its SDK computes."""
        assert sdk(base + target, form) == signature
        assert is_genuine(signed(base, target, form, signature=signature), KEYS)

    def test_any_order(self, base: str, target: str, form: Any, signature: str) -> None:
        """The order in which the parameters were sent does not matter."""
        backwards = list(form)[::-1]
        assert is_genuine(signed(base, target, backwards, signature=signature), KEYS)

    def test_forged(self, base: str, target: str, form: Any, signature: str) -> None:
        """With another URL, parameter, signature or algorithm none of them is."""
        genuine = signed(base, target, form, signature=signature)
        forged = [
            evolve(genuine, target="/myapp.php?foo=1&bar=3"),
            evolve(genuine, target="/"),
            evolve(genuine, form=(("To", "+18005551213"),)),
            evolve(genuine, form=(*P, ("Extra", "1"))),
            evolve(genuine, bases=("https://elsewhere.example.com",)),
            evolve(genuine, bases=()),
            evolve(genuine, signature=None),
            evolve(genuine, signature=""),
            evolve(genuine, signature=signature.swapcase()),
            evolve(genuine, signature=signature[:-1]),
            evolve(genuine, signature=f"{signature} "),
            evolve(genuine, settings="algorithm=HMAC_SHA256"),
        ]
        assert not [one for one in forged if is_genuine(one, KEYS)]

    def test_other_token(self, base: str, target: str, form: Any, signature: str) -> None:
        """With another token none of them is, and none without any."""
        genuine = signed(base, target, form, signature=signature)
        for keys in (Keys(tokens=("54321",)), Keys(shared={"k": TOKEN}), Keys()):
            assert not is_genuine(genuine, keys)


class TestPorts:
    @pytest.mark.parametrize(
        ("base", "at_twilio"),
        [
            (base, at_twilio)
            for spellings in [
                ("https://a.example.com", "https://a.example.com:443"),
                ("http://a.example.com", "http://a.example.com:80"),
                ("https://[2001:db8::1]", "https://[2001:db8::1]:443"),
                ("http://[::1]", "http://[::1]:80"),
                ("https://user:pass@a.example.com", "https://user:pass@a.example.com:443"),
                ("https://u:p@[2001:db8::1]", "https://u:p@[2001:db8::1]:443"),
            ]
            for base in spellings
            for at_twilio in spellings
        ]
        + [
            ("https://a.example.com:8443", "https://a.example.com:8443"),
            ("https://a.example.com:8443", "https://a.example.com"),
            ("http://a.example.com:8080", "http://a.example.com:8080"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]"),
            ("https://user:pass@a.example.com:8443", "https://a.example.com:8443"),
            ("https://user:pass@a.example.com:8443", "https://a.example.com"),
            ("https://user:pass@a.example.com:8443", "https://user:pass@a.example.com:8443"),
            ("https://user:pass@a.example.com", "https://a.example.com"),
            ("https://user:p:ss@a.example.com", "https://a.example.com:443"),
            ("https://us@er:pass@a.example.com", "https://a.example.com"),
        ],
    )
    def test_spellings(self, base: str, at_twilio: str) -> None:
        """Credentials and port may be signed or not: Twilio's products disagree."""
        genuine = sdk(at_twilio + TARGET, P)
        assert is_genuine(signed(base, form=P, signature=genuine), KEYS)

    @pytest.mark.parametrize(
        ("base", "at_twilio"),
        [
            ("https://a.example.com", "http://a.example.com"),
            ("https://a.example.com", "https://a.example.com:8443"),
            ("https://a.example.com", "https://a.example.com:80"),
            ("https://a.example.com:8443", "https://a.example.com:443"),
            ("http://a.example.com:80", "http://a.example.com:8080"),
            ("https://[2001:db8::1]", "https://[2001"),
            ("https://[2001:db8::1]", "https://[2001:db8:"),
            ("https://a.example.com", "https://user:pass@a.example.com"),
            ("https://user:pass@a.example.com", "https://user:word@a.example.com"),
        ],
    )
    def test_other_addresses(self, base: str, at_twilio: str) -> None:
        """Another scheme, port or login is another address."""
        assert not is_genuine(signed(base, form=P, signature=sdk(at_twilio + TARGET, P)), KEYS)

    def test_several_bases(self) -> None:
        """An address that is known under several names is signed under one of them."""
        bases = ("https://one.example.com", "https://two.example.com")
        for base in bases:
            genuine = signed(base, form=P, signature=sdk(base + TARGET, P))
            assert is_genuine(evolve(genuine, bases=bases), KEYS)


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            "/",
            "/retry?",
            "/retry??",
            "/retry/",
            "//retry",
            "/retry?a=%2F&b=/&c=+%20&d='%27",
            "/retry?b=2&a=1&b=1",
            "/retry?empty=&none",
            "/retry?FallbackUrl=http://a/b?c=d",
            "/retry?ü=ü",
            "/%ff",
        ],
    )
    def test_as_sent(self, target: str) -> None:
        """The target is signed as it was sent: nothing is decoded, sorted or tidied."""
        genuine = signed(HOST, target, P, signature=sdk(HOST + target, P))
        assert is_genuine(genuine, KEYS)

    @pytest.mark.parametrize(
        ("sent", "at_twilio"),
        [
            ("/retry?a=%2F", "/retry?a=/"),
            ("/retry?a=+", "/retry?a=%20"),
            ("/retry", "/retry/"),
            ("/retry?a=", "/retry"),
            ("/retry?a=1&b=2", "/retry?b=2&a=1"),
            ("/retry", "/retry#rt=5000"),
        ],
    )
    def test_not_tidied(self, sent: str, at_twilio: str) -> None:
        """What looks alike is not the same: a proxy that rewrites the target breaks it."""
        assert not is_genuine(signed(HOST, sent, P, signature=sdk(HOST + at_twilio, P)), KEYS)


class TestForms:
    @pytest.mark.parametrize(
        ("sent", "same"),
        [
            ([("a", "1"), ("a", "2")], [("a", "2"), ("a", "1")]),
            ([("a", "1"), ("a", "1")], [("a", "1")]),
            ([("a", "")], [("a", ""), ("a", "")]),
            ([("B", "1"), ("a", "2"), ("A", "3")], [("A", "3"), ("B", "1"), ("a", "2")]),
            ([("a", " x ")], [("a", " x ")]),
            ([("Body", "grüße 👋")], [("Body", "grüße 👋")]),
            ([("a", "\0\n")], [("a", "\0\n")]),
        ],
    )
    def test_repeated(self, sent: Any, same: Any) -> None:
        """Each distinct value of a name is signed once, in the order of names and values."""
        assert is_genuine(signed(HOST, form=sent, signature=sdk(HOST + TARGET, same)), KEYS)

    @pytest.mark.parametrize(
        ("sent", "other"),
        [
            ([("a", "x")], [("a", " x ")]),
            ([("a", "x")], [("A", "x")]),
            ([("a", "1"), ("a", "2")], [("a", "2")]),
            ([("a", "1")], [("a", "1"), ("b", "")]),
        ],
    )
    def test_changed(self, sent: Any, other: Any) -> None:
        """Blanks, case and every value count."""
        assert not is_genuine(signed(HOST, form=sent, signature=sdk(HOST + TARGET, other)), KEYS)

    @pytest.mark.parametrize(
        "strange",
        [
            {"form": (("a", "\udcff"),)},
            {"form": (("\udcff", "a"),)},
            {"target": "/\udcff"},
            {"bases": ("https://\udcff",)},
            {"signature": "\udcff"},
            {"signature": "ü"},
            {"settings": "\udcff"},
            {"settings": "key=\udcff,algorithm=HMAC_SHA1"},
            {"bases": ("https://a:b:c",)},
            {"bases": ("https://a:99999999",)},
            {"bases": ("nonsense", "", "://", "https://")},
        ],
    )
    def test_strange(self, strange: dict[str, Any]) -> None:
        """What cannot even be computed is not genuine, and nothing fails."""
        genuine = signed(HOST, form=P, signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=")
        keys = Keys(tokens=(TOKEN,), shared={"k": TOKEN})
        expected = strange == {"settings": "\udcff"}
        assert is_genuine(evolve(genuine, **strange), keys) is expected


class TestBodies:
    @pytest.mark.parametrize(
        ("base", "digest", "body", "signature"),
        [
            (HOST, LONG_HASH, LONG, "a9nBmqA0ju/hNViExpshrM61xv4="),
            (f"{HOST}:443", SHORT_HASH, "{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
        ],
    )
    def test_vectors(self, base: str, digest: str, body: str, signature: str) -> None:
        """Twilio's vectors for JSON bodies are accepted with that body, and no other."""
        target = f"{TARGET}&bodySHA256={digest}"
        genuine = signed(base, target, signature=signature, body=body)
        assert is_genuine(genuine, KEYS)
        assert not is_genuine(evolve(genuine, body=body.encode() + b" "), KEYS)
        assert not is_genuine(evolve(genuine, body=b""), KEYS)

    @pytest.mark.parametrize(
        "query",
        ["bodySHA256=", "bodySHA256=abc", f"bodySHA256={SHORT_HASH}&bodySHA256={SHORT_HASH}"],
    )
    def test_wrong_hash(self, query: str) -> None:
        """A signed hash that is not one, or is there twice, is not that of the body."""
        target = f"/retry?{query}"
        genuine = signed(HOST, target, signature=sdk(HOST + target), body="{}")
        assert not is_genuine(genuine, KEYS)

    def test_forms_have_no_hash(self) -> None:
        """With a form, a parameter of that name is one like any other."""
        target = "/retry?bodySHA256=abc"
        assert is_genuine(signed(HOST, target, P, signature=sdk(HOST + target, P)), KEYS)

    def test_bytes(self) -> None:
        """The hash is of the bytes, whatever they mean."""
        body = b"\xff\x00"
        target = f"/retry?bodySHA256={sha256(body).hexdigest()}"
        genuine = signed(HOST, target, signature=sdk(HOST + target))
        assert is_genuine(evolve(genuine, body=body), KEYS)


class TestKeys:
    several = Keys(tokens=("old", "new"), shared={"KS1": "secret-1", "KS2": "secret-2"})

    @pytest.mark.parametrize("token", ["old", "new"])
    def test_several_tokens(self, token: str) -> None:
        """During a rotation each of the tokens is good."""
        genuine = sdk(HOST + TARGET, P, token=token)
        assert is_genuine(signed(HOST, form=P, signature=genuine), self.several)

    @pytest.mark.parametrize(("base", "target", "form", "signature"), SHA256_VECTORS)
    @pytest.mark.parametrize(
        ("settings", "keys"),
        [
            ("key=KS,algorithm=HMAC_SHA256", Keys(shared={"KS": TOKEN})),
            ("algorithm=HMAC_SHA256", KEYS),
        ],
    )
    def test_sha256(
        self, base: str, target: str, form: Any, signature: str, settings: str, keys: Keys
    ) -> None:
        """The vectors with SHA256 are accepted if the header announces that, and only then."""
        assert sdk(base + target, form, algorithm=HMAC_SHA256) == signature
        genuine = signed(base, target, form, signature=signature, settings=settings)
        assert is_genuine(genuine, keys)
        sha1 = settings.replace("256", "1")
        assert not is_genuine(evolve(genuine, settings=sha1), keys)
        assert not is_genuine(evolve(genuine, settings=None), keys)

    @pytest.mark.parametrize(
        ("settings", "secret", "algorithm", "good"),
        [
            ("key=KS1,algorithm=HMAC_SHA256", "secret-1", HMAC_SHA256, True),
            ("key=KS2,algorithm=HMAC_SHA1", "secret-2", HMAC_SHA1, True),
            (" algorithm = HMAC_SHA1 , key = KS2 ", "secret-2", HMAC_SHA1, True),
            ("key=KS1", "secret-1", HMAC_SHA1, True),
            ("key=KS1,algorithm=", "secret-1", HMAC_SHA1, True),
            ("key=KS1,more=x,algorithm=HMAC_SHA1,", "secret-1", HMAC_SHA1, True),
            ("", "old", HMAC_SHA1, True),
            ("nonsense", "new", HMAC_SHA1, True),
            ("key=KS1,algorithm=HMAC_SHA256", "secret-2", HMAC_SHA256, False),
            ("key=KS1,algorithm=HMAC_SHA256", "secret-1", HMAC_SHA1, False),
            ("key=KS1,algorithm=HMAC_SHA256", "old", HMAC_SHA256, False),
            ("key=KS3,algorithm=HMAC_SHA1", "secret-1", HMAC_SHA1, False),
            ("key=KS3", "old", HMAC_SHA1, False),
            ("key=", "old", HMAC_SHA1, False),
            ("key=ks1", "secret-1", HMAC_SHA1, False),
            ("algorithm=HMAC_SHA1", "secret-1", HMAC_SHA1, False),
            ("key=KS1,algorithm=HMAC_SHA512", "secret-1", HMAC_SHA1, False),
            ("key=KS1,algorithm=HMAC_MD5", "secret-1", HMAC_SHA1, False),
            ("algorithm=none", "old", HMAC_SHA1, False),
            (None, "secret-1", HMAC_SHA1, False),
        ],
    )
    def test_settings(self, settings: str | None, secret: str, algorithm: str, good: bool) -> None:
        """The header names the one shared key and algorithm that count; without it, the tokens."""
        signature = sdk(HOST + TARGET, P, token=secret, algorithm=algorithm)
        sent = signed(HOST, form=P, signature=signature, settings=settings)
        assert is_genuine(sent, self.several) is good

    def test_secret(self) -> None:
        """Keys are never shown."""
        assert "secret" not in repr(self.several)
        assert "old" not in repr(self.several)

    @pytest.mark.parametrize(
        ("keys", "any_key"),
        [(Keys(), False), (KEYS, True), (Keys(shared={"a": "b"}), True), (several, True)],
    )
    def test_is_there_any(self, keys: Keys, any_key: bool) -> None:
        """Keys are true where there is one."""
        assert bool(keys) is any_key

    def test_names(self) -> None:
        """The headers are those that the SDK names."""
        assert (SIGNATURE, SETTINGS) == (
            "X-Twilio-Signature",
            "X-Twilio-Webhooks-Signature-Settings",
        )


hosts = st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z]{2,5}){1,2}(:[1-9][0-9]{1,3})?", fullmatch=True)
bases = st.builds("{}://{}".format, st.sampled_from(["http", "https"]), hosts)
targets = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map("/{}".format)
fields = st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=20)), max_size=8)
tokens = st.from_regex(r"[0-9a-f]{4,32}", fullmatch=True)
algorithms = st.sampled_from([HMAC_SHA1, HMAC_SHA256])
any_text = st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@given(bases, targets, fields, tokens, algorithms)
def test_sdk_agrees(
    base: str, target: str, form: list[tuple[str, str]], token: str, algorithm: str
) -> None:
    """Whatever is signed by the SDK's rules is genuine, and its own `validate` says so too."""
    assume("bodySHA256" not in target)
    signature = sdk(base + target, form, token=token, algorithm=algorithm)
    sent = signed(base, target, form, signature=signature, settings=f"algorithm={algorithm}")
    assert is_genuine(sent, Keys(tokens=("another", token)))
    by_name = dict(form)
    if len(by_name) == len(form):
        assert is_genuine(evolve(sent, form=by_name), Keys(tokens=("another", token)))
    if not set(target) & set("?#;"):
        validator = RequestValidator(token)
        assert validator.validate(base + target, multi(form), signature, algorithm)


@given(st.data(), bases, targets, fields, tokens, algorithms)
def test_any_change_is_noticed(
    data: st.DataObject,
    base: str,
    target: str,
    form: list[tuple[str, str]],
    token: str,
    algorithm: str,
) -> None:
    """One character more, less or other, in URL, parameters, signature or key: not genuine."""
    form = list(dict(form).items())
    signature = sdk(base + target, form, token=token, algorithm=algorithm)
    genuine = signed(base, target, form, signature=signature, settings=f"algorithm={algorithm}")
    keys = Keys(tokens=(token,))

    def changed(text: str) -> str:
        place = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
        assume(other != text[place])
        return text[:place] + other + text[place + 1 :]

    part = data.draw(st.sampled_from(["target", "value", "signature", "token", "less", "more"]))
    if part == "target":
        genuine = evolve(genuine, target="/" + changed(f"{target[1:]}x"))
    elif part == "signature":
        genuine = evolve(genuine, signature=changed(signature))
    elif part == "token":
        keys = Keys(tokens=(changed(token),))
    elif part == "more":
        genuine = evolve(genuine, form=(*form, ("more", data.draw(st.text()))))
        assume("more" not in dict(form))
    else:
        assume(form)
        place = data.draw(st.integers(0, len(form) - 1))
        name, value = form[place]
        kept = [*form[:place], *form[place + 1 :]]
        if part == "value":
            assume(value)
            kept.append((name, changed(value)))
        genuine = evolve(genuine, form=tuple(kept))
    assert not is_genuine(genuine, keys)


@given(
    st.builds(
        Signed,
        bases=st.lists(any_text, max_size=2),
        target=any_text,
        form=st.lists(st.tuples(any_text, any_text), max_size=3)
        | st.dictionaries(any_text, any_text, max_size=3),
        body=st.binary(max_size=10),
        signature=st.none() | any_text,
        settings=st.none() | any_text | st.just("key=k"),
    )
)
def test_nothing_makes_it_fail(sent: Signed) -> None:
    """For whatever anyone may send the answer is no, and never an error."""
    assert is_genuine(sent, Keys(tokens=("t",), shared={"k": "s"})) is False
