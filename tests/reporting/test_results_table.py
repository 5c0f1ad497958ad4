from lgmrec_pyg.reporting import results_table


def test_results_table():
    rows = {
        ('LGMRec', 'this run'): {'Recall@20': 0.12345, 'NDCG@20': 0.05},
        ('Popularity', 'counts'): {'Recall@20': 0.1},
    }
    assert results_table(rows, ['Recall@20', 'NDCG@20']).split('\n') == [
        'Model       Source    Recall@20  NDCG@20',
        '----------------------------------------',
        'LGMRec      this run     0.1235   0.0500',
        'Popularity  counts       0.1000        -',
    ]
