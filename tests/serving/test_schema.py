r"""Requests drawn from the OpenAPI schema, and answers held to it."""

import pytest
from hypothesis import HealthCheck, given, settings
from runs import write_run

from lgmrec_pyg.serving import create_app

schemathesis = pytest.importorskip('schemathesis')
CHECKS = pytest.importorskip('schemathesis.specs.openapi.checks')


def test_answers_are_as_described(tmp_path):
    write_run(tmp_path)
    schema = schemathesis.openapi.from_asgi('/openapi.json', create_app(tmp_path))
    statuses = set()
    for found in schema.get_all_operations():

        @given(found.ok().as_strategy())
        @settings(
            max_examples=50,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case):
            # The schema does not know the modalities of the data, and their widths.
            skipped = (
                [CHECKS.positive_data_acceptance] if case.path == '/new-item' else []
            )
            answer = case.call_and_validate(excluded_checks=skipped)
            statuses.add(answer.status_code)

        check()
    assert statuses >= {200, 404}
