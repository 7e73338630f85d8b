"""What a run of the whole suite says at its end; and, where a statistical test fails, how often it would by chance."""

import pytest
from chromium import LACKING


def pytest_configure(config):
    config.addinivalue_line("markers", "by_chance(rate): a statistical test, and how often it fails by chance at most")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    mark = item.get_closest_marker("by_chance")
    if mark is not None and report.when == "call" and report.failed:
        from zoo import chance

        report.sections.append(("By chance", chance(*mark.args)))
    return report


def pytest_terminal_summary(terminalreporter):
    if LACKING:
        terminalreporter.write_line(f"the page is not tested in a browser: no {', '.join(LACKING)} (make test-browser)")
