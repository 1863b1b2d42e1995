"""The pytest plugin: quarantined tests run and are told, and do not fail the run; changed ones are repeated.

It is loaded by every pytest in this environment, so it imports next to nothing before it
is needed, and does nothing where there is no quarantine and nothing is to be repeated.
"""

import json
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from hologram_dagster.flakes.changed import Changes

_DEFAULT = "reports/quarantined_tests.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("hologram", "flaky tests")
    group.addoption(
        "--quarantined",
        metavar="FILE",
        help=f"names of the tests that may fail (default: {_DEFAULT} below the root, if it is there)",
    )
    group.addoption(
        "--repeat-changed",
        metavar="N",
        type=int,
        default=0,
        help="run each test that is new or changed N times, without reruns",
    )
    group.addoption(
        "--changed-since", metavar="REF", help="changed since it branched off REF (default: the main branch)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the quarantine, and find what has changed, where that is asked for."""
    config.addinivalue_line("markers", "quarantined: quarantined as flaky")
    names = _names(config)
    if names:
        config.pluginmanager.register(_Quarantine(names), "hologram-quarantine")
    if config.getoption("repeat_changed") > 1:
        config.pluginmanager.register(_Repeats(_changes(config), config.getoption("repeat_changed")))


def _names(config: pytest.Config) -> frozenset[str]:
    given = config.getoption("quarantined")
    path = config.invocation_params.dir / given if given else config.rootpath / _DEFAULT
    if not given and not path.exists():
        return frozenset()
    try:
        content = json.loads(path.read_bytes())
        names = content["quarantined"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("quarantined is no list of names")
    except OSError as error:
        raise pytest.UsageError(f"cannot read the quarantine {path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise pytest.UsageError(
            f'{path}: not of the form {{"quarantined": [names]}}: {error}: '
            "write it with `hologram flakes report`"
        ) from error
    return frozenset(names)


def _changes(config: pytest.Config) -> "Changes":
    from hologram_dagster.errors import HologramError
    from hologram_dagster.flakes.changed import changes_since

    try:
        return changes_since(config.rootpath, config.getoption("changed_since"))
    except HologramError as error:
        raise pytest.UsageError(f"--repeat-changed: {error}") from error


def _names_of(nodeid: str) -> Iterable[str]:
    """The names by which `nodeid` may stand in the quarantine: with its parameters, or for all of them."""
    from hologram_dagster.flakes.attempts import known_as

    yield nodeid
    yield known_as(nodeid)
    function, bracket, _ = nodeid.partition("[")
    if bracket:
        yield function
    # As JUnit XML names it.
    path, *inside = function.split("::")
    if inside:
        classname = ".".join([path.removesuffix(".py").replace("/", "."), *inside[:-1]])
        whole = f"{classname}::{inside[-1]}{nodeid[len(function) :]}"
        yield whole
        yield known_as(whole)
        yield f"{classname}::{inside[-1]}"


class _Quarantine:
    """Tells failures of quarantined tests as such, and keeps them from failing the run."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.session: pytest.Session | None = None
        self.failed: dict[str, str] = {}

    def holds(self, nodeid: str) -> bool:
        return any(name in self.names for name in _names_of(nodeid))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if self.holds(item.nodeid):
                # So that `-m "not quarantined"` knows them, and each report says so.
                item.add_marker("quarantined")
                item.user_properties.append(("quarantined", "true"))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        if report.failed and self.session is not None and self.holds(report.nodeid):
            # pytest counts it up again, and would stop the run there with -x.
            self.session.testsfailed -= 1
            crash = getattr(report.longrepr, "reprcrash", None)
            message = str(getattr(crash, "message", "") or report.longrepr or "")
            self.failed.setdefault(report.nodeid, message.partition("\n")[0])
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if report.failed and self.holds(report.nodeid):
            return "quarantined", "q", "QUARANTINED"
        return None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.failed:
            terminalreporter.section("quarantined tests that failed: they do not fail the run", yellow=True)
            for nodeid, message in sorted(self.failed.items()):
                terminalreporter.write_line(f"QUARANTINED {nodeid} - {message}")


class _Repeats:
    """Runs each new or changed test so many times; pytest counts each failure."""

    def __init__(self, changes: "Changes", times: int) -> None:
        self.changes = changes
        self.times = times

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not isinstance(item, pytest.Function) or not self._changed(item):
            return None
        for number in range(1, self.times + 1):
            if number > 1:
                # The fixtures of the last time are gone; as pytest-rerunfailures does it.
                item._initrequest()
            item.user_properties[:] = [
                *(each for each in item.user_properties if each[0] != "repeat"),
                ("repeat", f"{number}/{self.times}"),
            ]
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            runtestprotocol(item, nextitem=nextitem)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if item.session.shouldstop or item.session.shouldfail:
                break
        return True

    def _changed(self, item: pytest.Function) -> bool:
        code = getattr(_undecorated(item.function), "__code__", None)
        return code is not None and self.changes.touches(Path(item.path).resolve(), code.co_firstlineno)


def _undecorated(function: object) -> object:
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    return function
