"""`reports/metrics.prom`: the verdict, its checks and all figures as OpenMetrics, for whoever collects them.

Gauges only, so that Prometheus's older text format is satisfied, too: the textfile collector of node_exporter
reads the file as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from hologram_dagster.reports.reading import mapping_of, mappings_of, number_of, text_of, time_of

_LONGEST = 200
_WORDS = ("pass", "fail", "inconclusive")


def openmetrics(verdict: Mapping[str, Any], records: Sequence[Mapping[str, Any]] = ()) -> str:
    """A verdict document and the records that it rests on as OpenMetrics text.

    Labels are redacted and cut; what is no finite number is left out. Of checks of the same name the last one
    counts. A run that has not finished is `inconclusive`, and `hologram_run_final` is 0.
    """
    registry = CollectorRegistry()

    def gauge(name: str, told: str, *labels: str) -> "_Family":
        return _Family(Gauge(f"hologram_{name}", told, labels, registry=registry))

    final = verdict.get("state") == "final"
    word = text_of(verdict.get("verdict") if final else "inconclusive", longest=_LONGEST)
    of_run = {name: verdict.get(name) for name in ("profile", "environment")}
    verdicts = gauge("verdict", "1 for the verdict of the newest run.", *of_run, "verdict")
    for each in dict.fromkeys((*_WORDS, word)):
        verdicts.set(float(each == word), {**of_run, "verdict": each})
    gauge("run_final", "1 once the run has come to its end.").set(float(final))
    revision = mapping_of(verdict.get("revision"))
    names = {"run_id": verdict.get("run_id"), "commit": revision.get("commit"), "ref": revision.get("ref")}
    gauge("run", "Which run this is of.", *of_run, *names).set(1, of_run | names)
    for name in ("started_at", "finished_at"):
        if time := time_of(verdict.get(name)):
            gauge(f"run_{name}_seconds", "In seconds since 1970.").set(time.timestamp())
    _add_checks(mappings_of(verdict.get("reasons")), gauge)
    evidence = gauge("evidence", "1 for the status of each evidence.", "kind", "status")
    for item in mappings_of(verdict.get("evidence")):
        evidence.set(1, {name: item.get(name) for name in ("kind", "status")})
    figures = gauge("evidence_value", "The figures of the evidence, the unit in the name.", "kind", "name")
    for record in records:
        for name, value in mapping_of(record.get("values")).items():
            figures.set(value, {"kind": record.get("kind"), "name": name})
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


def _add_checks(reasons: Iterable[Mapping[str, Any]], gauge: Any) -> None:
    states = gauge("check", "1 for the status of each check.", "kind", "check", "status")
    values = gauge("check_value", "The figure that a check judged.", "kind", "check", "unit")
    limits = gauge("check_limit", "Its limit.", "kind", "check", "unit")
    for reason in reasons:
        of_check = {name: reason.get(name) for name in ("kind", "check")}
        states.set(1, of_check | {"status": reason.get("status")})
        unit = of_check | {"unit": reason.get("unit")}
        values.set(reason.get("value"), unit)
        limits.set(reason.get("limit"), unit)


class _Family:
    """A gauge whose labels may be anything and whose values may be none."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def set(self, value: object, labels: Mapping[str, object] | None = None) -> None:
        """Set `value` where it is a finite number."""
        number = number_of(value)
        if number is not None:
            texts = {name: text_of(label, longest=_LONGEST) for name, label in (labels or {}).items()}
            (self._gauge.labels(**texts) if texts else self._gauge).set(number)
