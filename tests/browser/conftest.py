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
collect_ignore = ["test_page.py", "test_documentation.py"] if LACKING else []
if not importlib.util.find_spec("sphinx"):
    collect_ignore.append("test_documentation.py")


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


def pytest_terminal_summary(terminalreporter):
    if LACKING:
        terminalreporter.write_line(f"the page is not tested in a browser: no {', '.join(LACKING)} (make test-browser)")
