from benchmarks.plot import read_rows


def test_unseen_items_and_users_are_served(tmp_path):
    from benchmarks import cold_start

    command = '--quick --no-plots --epochs 3'
    cold_start.main([*command.split(), '--output', str(tmp_path)])
    rows = read_rows(str(tmp_path / 'cold_start.csv'))
    recall = {row['candidate']: float(row['recall']) for row in rows}
    assert recall['features'] > 3 * recall['random']
    assert recall['history'] > 0.8 * recall['trained'] > recall['popularity']
