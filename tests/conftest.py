"""What a run of the whole suite says at its end."""

from chromium import LACKING


def pytest_terminal_summary(terminalreporter):
    if LACKING:
        terminalreporter.write_line(f"the page is not tested in a browser: no {', '.join(LACKING)} (make test-browser)")
