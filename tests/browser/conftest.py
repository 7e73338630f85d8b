"""Where Chromium is, if anywhere: without it these tests are not collected, and `tests/conftest.py` says so."""

import importlib.util

import pytest
from chromium import CHROMIUM, LACKING

collect_ignore = ["test_page.py", "test_documentation.py"] if LACKING else []
if not importlib.util.find_spec("sphinx"):
    collect_ignore.append("test_documentation.py")


@pytest.fixture(scope="package")
def browser():
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()
