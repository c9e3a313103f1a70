"""Packages that break others in newer versions, or report home, stay out (docs/decisions/0002)."""

from importlib.metadata import PackageNotFoundError, version

import pytest


@pytest.mark.parametrize(("package", "below"), [("fastapi", (0, 144)), ("sqlalchemy", (2, 1))])
def test_what_breaks_prefect_is_capped(package, below):
    assert tuple(int(part) for part in version(package).split(".")[: len(below)]) < below


@pytest.mark.parametrize("package", ["openvino-telemetry", "sentence-transformers"])
def test_what_must_not_be_installed_is_not(package):
    with pytest.raises(PackageNotFoundError):
        version(package)
