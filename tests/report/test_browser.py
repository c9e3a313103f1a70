"""A real browser opens the page from the disk: it is readable, and it asks nobody for anything."""

import shutil
import subprocess

import pytest

from flows.report import page

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = '<script>document.title = "run"</script><img src="https://example.com/x.png">'
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


def test_the_page_is_readable_and_runs_no_script(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; `.ci/run browser` installs one")
    html = page.render("Report", "of the day", [page.Section("a", "Verdict", page.paragraph(HOSTILE))])
    (tmp_path / "index.html").write_text(html + "<script>document.title = 'run'</script>")
    command = [
        CHROMIUM,
        *QUIET,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        f"file://{tmp_path}/index.html",
    ]

    seen = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout

    assert "<title>Report</title>" in seen
    assert "Verdict</h2>" in seen
