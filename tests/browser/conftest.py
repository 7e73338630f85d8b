"""Where Chromium is, if anywhere: without it these tests are not collected, and the run says so."""

import importlib.util
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LACKING = [
    name
    for name, there in (
        ("Chromium", CHROMIUM),
        ("playwright", importlib.util.find_spec("playwright")),
        ("axe-playwright-python", importlib.util.find_spec("axe_playwright_python")),
    )
    if not there
]
collect_ignore = ["test_page.py"] if LACKING else []


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program."""
    return CHROMIUM


def pytest_terminal_summary(terminalreporter):
    if LACKING:
        terminalreporter.write_line(f"the page is not tested in a browser: no {', '.join(LACKING)} (make test-browser)")
