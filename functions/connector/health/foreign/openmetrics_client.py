"""Reads what functions/connector/health writes with the parser of Prometheus's own client, which refuses what OpenMetrics does not allow.

The text is that of the package's golden file, which its tests hold against the code.
"""

import pathlib

from operations import Report, equal
from prometheus_client.openmetrics.parser import text_string_to_metric_families

GOLDEN = pathlib.Path("functions/connector/health/testdata/metrics.txt")
ACME = {"kind": "toy", "tenant": "acme", "crm": "crm"}

report = Report("prometheus_client 0.26.0")
families = {}
with report.operation("parse"):
    families = {family.name: family for family in text_string_to_metric_families(GOLDEN.read_text())}


def values(family, **labels):
    """The values of a family's samples with these labels, by their names."""
    return {s.name: s.value for s in families[family].samples if labels.items() <= s.labels.items()}


with report.operation("types and units"):
    equal(families["signalbox_connector_call_seconds"].type, "gaugehistogram")
    equal(families["signalbox_connector_call_seconds"].unit, "seconds")
    equal(families["signalbox_connector_rows"].type, "gauge")
    for family in families.values():
        assert family.documentation, family.name
with report.operation("a bucket"):
    equal(values("signalbox_connector_call_seconds", tenant="demo", le="0.5"), {"signalbox_connector_call_seconds_bucket": 51})
with report.operation("a count and a sum"):
    counted = values("signalbox_connector_call_seconds", tenant="demo")
    equal(counted["signalbox_connector_call_seconds_gcount"], 101)
    equal(counted["signalbox_connector_call_seconds_gsum"], 79.5)
with report.operation("rows by outcome"):
    equal(values("signalbox_connector_rows", outcome="blocked", **ACME), {"signalbox_connector_rows": 1})
with report.operation("a closed gate"):
    equal(values("signalbox_connector_gate_closed", code="toy_unauthorized", **ACME), {"signalbox_connector_gate_closed": 1})
    equal(values("signalbox_connector_parked", **ACME), {"signalbox_connector_parked": 121})
with report.operation("a label with every character that is escaped"):
    equal(values("signalbox_connector_rows", tenant='a"b\\c\nd', outcome="permanent"), {"signalbox_connector_rows": 1})
report.end()
