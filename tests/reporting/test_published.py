import pytest

from lgmrec_pyg.reporting import PUBLISHED


@pytest.mark.parametrize('name', ['baby', 'sports', 'clothing'])
def test_paper_and_log_are_both_quoted(name):
    paper, log = PUBLISHED[name]
    assert (paper.model, log.model) == ('LGMRec', 'LGMRec')
    assert paper.source != log.source
    for metric, value in paper.metrics.items():
        assert log.metrics[metric] == pytest.approx(value, abs=0.0021)


def test_metrics_grow_with_the_length_of_the_list():
    for results in PUBLISHED.values():
        assert len({(result.model, result.source) for result in results}) == len(
            results
        )
        for _, _, metrics in results:
            for kind in ['Recall', 'NDCG']:
                assert metrics.get(f'{kind}@10', 0.0) < metrics[f'{kind}@20'] < 0.2
            assert metrics['NDCG@20'] < metrics['Recall@20']
