"""What tests of any input share: memory for no more than anybody's machine has."""

import resource

import pytest

BYTES = 2 * 2**30


@pytest.fixture
def little_memory():
    """2 GB more than what is in use now: what asks for more gets a MemoryError."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
