import sys

import pytest
import torch
from fastapi.testclient import TestClient
from runs import write_checkerboard, write_run

from lgmrec_pyg.recommend import Recommender, embed_new_items
from lgmrec_pyg.serving import create_app


@pytest.fixture(scope='module')
def board(tmp_path_factory):
    folder = write_checkerboard(tmp_path_factory.mktemp('board'))
    with TestClient(create_app(folder)) as client:
        yield client


@pytest.fixture(scope='module', params=['strings', 'integers', None])
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    recommender, data = write_run(folder, request.param)
    with TestClient(create_app(folder)) as client:
        yield client, recommender, data


def post(client, path, **body):
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer, key='items'):
    return [entry['id'] for entry in answer[key]]


# Users like items of their own colour, later ones less, and own the first of them.
@pytest.mark.parametrize(
    ('path', 'body', 'expected'),
    [
        ('/recommend', {'user': 'ann', 'k': 2}, ['i2', 'i4']),
        ('/recommend', {'user': 'bob', 'k': 2}, ['i3', 'i5']),
        ('/recommend', {'user': 'ann', 'k': 2, 'include_seen': True}, ['i0', 'i2']),
        ('/recommend', {'user': 'ann', 'k': 1, 'exclude': ['i2', 'no']}, ['i4']),
        ('/recommend', {'user': 'ann', 'items': ['i4', 'i0', 'i2']}, ['i2', 'i4']),
        (
            '/recommend',
            {'user': 'ann', 'items': ['i4', 'i2', 'i0'], 'exclude': ['i2']},
            ['i4'],
        ),
        (
            '/recommend',
            {'user': 'ann', 'items': ['i4', 'i0', 'no'], 'unknown': 'popular'},
            ['i4'],
        ),
        ('/recommend', {'user': 'ann', 'items': ['i0']}, []),
        ('/recommend', {'user': 'zoe', 'k': 2, 'unknown': 'popular'}, ['i1', 'i0']),
        ('/recommend/history', {'items': ['i1'], 'k': 2}, ['i3', 'i5']),
        (
            '/recommend/history',
            {'items': ['i1'], 'k': 2, 'include_seen': True},
            ['i1', 'i3'],
        ),
        (
            '/recommend/history',
            {'items': ['no', 'i1', 'i1'], 'k': 1, 'unknown': 'popular'},
            ['i3'],
        ),
        ('/recommend/history', {'items': ['i1'], 'k': 1, 'exclude': ['i3']}, ['i5']),
        ('/similar', {'item': 'i1', 'k': 1, 'exclude': ['i3']}, ['i5']),
    ],
)
def test_known_answers(board, path, body, expected):
    found = ids(post(board, path, **body))
    if body.get('unknown') == 'popular' and path == '/recommend' and 'i1' in expected:
        assert found[0] == 'i1'  # Two have it; of the others, one each.
        return
    assert found == expected


def test_integers_of_json_may_have_a_point(served):
    client, recommender, _ = served
    user = recommender.users.ids[3]
    if isinstance(user, int):
        answer = post(client, '/recommend', user=float(user), k=2.0)
        assert ids(answer) == recommender.recommend(user, k=2).ids


def test_scores_are_inner_products(board):
    answer = post(board, '/recommend', user='ann', k=6)
    assert answer['items'][0] == {'id': 'i2', 'score': pytest.approx(1 / 3)}
    assert len(answer['items']) == 5  # All that she does not have.


@pytest.mark.parametrize(
    ('path', 'body', 'status', 'message'),
    [
        ('/recommend', {'user': 'zoe'}, 404, "'user' holds 1 unknown ids: 'zoe'"),
        ('/recommend', {'user': 'a\0'}, 404, 'unknown'),
        ('/recommend', {'user': 'ann', 'items': ['x']}, 404, "'items' holds 1 unknown"),
        ('/recommend/history', {'items': ['i1', 'x']}, 404, "'items' holds 1 unknown"),
        ('/similar', {'item': 'x'}, 404, "'item' holds 1 unknown ids: 'x'"),
        ('/new-item', {'features': {'text': [1.0]}}, 404, 'New items are not served'),
        (
            '/recommend',
            {'user': True},
            422,
            'body.user: Input should be a valid string',
        ),
        ('/recommend', {'user': 1.5}, 422, 'body.user'),
        ('/recommend', {'user': 2**63}, 404, 'unknown ids: 9223372036854775808'),
        ('/recommend', {'user': ''}, 422, 'body.user'),
        ('/recommend', {'user': 'x' * 513}, 422, 'at most 512'),
        ('/recommend', {'user': 'ann', 'k': 0}, 422, 'body.k'),
        ('/recommend', {'user': 'ann', 'k': 1001}, 422, 'body.k'),
        ('/recommend', {'user': 'ann', 'k': '2'}, 422, 'body.k'),
        ('/recommend', {'user': 'ann', 'items': []}, 422, 'body.items'),
        ('/recommend', {'user': 'ann', 'exclude': ['x'] * 10_001}, 422, 'body.exclude'),
        ('/recommend', {'user': 'ann', 'path': '/etc/passwd'}, 422, 'body.path'),
        ('/recommend', {'user': 'ann', 'unknown': 'skip'}, 422, 'body.unknown'),
    ],
)
def test_wrong_requests_say_what_is_wrong(board, path, body, status, message):
    response = board.post(path, json=body)
    assert response.status_code == status
    assert message in response.json()['detail']


@pytest.mark.parametrize(
    ('body', 'status'),
    [
        (b'', 422),
        (b'{', 422),
        (b'\xff', 400),
        (b'[' * 100_000, 400),
        (b'{"user": "\\ud800"}', 422),
        (b'{"user": NaN}', 422),
        (b'{"user": "ann", "k": Infinity}', 422),
        (b'{"user": ' + b'1' * 5000 + b'}', 400),
        (b' ' * 2**20 + b'{}', 413),
    ],
)
def test_bodies_that_are_none(board, body, status):
    kind = {'content-type': 'application/json'}
    assert board.post('/recommend', content=body, headers=kind).status_code == status


def test_answers_are_those_of_the_recommender(served):
    client, recommender, _ = served
    users, items = recommender.users.ids, recommender.items.ids
    for user in users[::7]:
        expected = recommender.recommend(user, k=9, exclude=items[:5])
        answer = post(client, '/recommend', user=user, k=9, exclude=items[:5])
        assert ids(answer) == expected.ids
        scores = [entry['score'] for entry in answer['items']]
        assert scores == pytest.approx(expected.scores)
        some = post(client, '/recommend', user=user, items=items[3:30], k=9)
        assert ids(some) == recommender.recommend(user, k=9, items=items[3:30]).ids
    for item in items[::7]:
        found = post(client, '/similar', item=item, k=5, exclude=items[1:3])
        assert ids(found) == recommender.similar_items(item, 5, exclude=items[1:3]).ids
        history = [item, items[2], items[3]]
        found = post(client, '/recommend/history', items=history, k=100)
        assert ids(found) == recommender.recommend_history(history, k=100).ids
    popular = recommender.recommend_history([], k=1, unknown='popular')
    found = post(client, '/recommend', user='zoe', k=1, unknown='popular')
    assert found['items'][0]['score'] == popular.scores[0]


def test_ids_are_those_that_are_written_the_same(served):
    client, recommender, _ = served
    for user in recommender.users.ids[:9]:
        answer = post(client, '/recommend', user=user)
        assert post(client, '/recommend', user=str(user)) == answer
        for wrong in (f' {user}', f'0{user}', f'{user}\0', f'{user}.0', f'+{user}'):
            response = client.post('/recommend', json={'user': wrong})
            assert response.status_code == 404, wrong
    many = [*map(str, recommender.items.ids), *(f'no{i}' for i in range(200)), '\0']
    body = {'user': user, 'items': many, 'unknown': 'popular', 'k': 100}
    every = post(client, '/recommend', user=user, k=100)
    assert ids(post(client, '/recommend', **body)) == ids(every)


def test_new_items_are_embedded_by_their_features(served):
    client, recommender, data = served
    x = {name: 3 * data[name].x[:1] + 0.1 for name in ('image', 'text')}
    body = {name: row[0].tolist() for name, row in x.items()}
    for names in (['image', 'text'], ['text']):
        rows = {name: x[name] for name in names}
        emb = embed_new_items(data, recommender.item_emb, rows)
        unit = torch.nn.functional.normalize(recommender.item_emb, dim=1)
        similar = Recommender(emb, unit, item_ids=recommender.items)
        users = Recommender(emb, recommender.user_emb, item_ids=recommender.users)
        features = {name: body[name] for name in names}
        answer = post(client, '/new-item', features=features, k=5)
        assert ids(answer) == similar.recommend(0, k=5).ids
        assert ids(answer, 'users') == users.recommend(0, k=5).ids
        scores = [entry['score'] for entry in answer['users']]
        assert scores == pytest.approx(users.recommend(0, k=5).scores, rel=1e-4)


@pytest.mark.parametrize(
    ('features', 'message'),
    [
        ({'smell': [1.0]}, 'of the widths'),
        ({'text': [1.0]}, 'of the widths'),
        ({'text': [0] * 32}, 'more than zeros'),
        ({'text': [1e300] * 32}, 'on the scale'),
        ({}, 'body.features'),
        ({'text': []}, 'body.features.text'),
        ({'text': ['1'] * 32}, 'body.features.text'),
    ],
)
def test_features_need_to_fit(served, features, message):
    client, _, data = served
    width = data['text'].num_features
    features = {
        name: (x * width)[:width] if len(x) == 32 else x for name, x in features.items()
    }
    response = client.post('/new-item', json={'features': features})
    assert response.status_code == 422
    assert message in response.json()['detail']


def test_card_and_health(served, board):
    client, _, data = served
    card = client.get('/card').json()
    assert card['class'] == 'LGMRec'
    assert card['metrics'] == {'Recall@20': 0.25}
    assert client.get('/health').json() == {
        'status': 'ok',
        'num_users': 60,
        'num_items': 40,
        'index': 'exact',
        'modalities': {name: data[name].num_features for name in ('image', 'text')},
    }
    assert board.get('/card').status_code == 404
    assert board.get('/health').json()['modalities'] == {}


def test_an_index_finds_the_same(tmp_path):
    pytest.importorskip('faiss')
    recommender, _ = write_run(tmp_path)
    with TestClient(create_app(tmp_path, approximate=True)) as client:
        assert client.get('/health').json()['index'] == 'faiss'
        for user in recommender.users.ids[:5]:  # So few items are all visited.
            found = post(client, '/recommend', user=user, k=5)
            assert ids(found) == recommender.recommend(user, k=5).ids


def test_requests_open_no_files(served):
    client, *_ = served
    opened, watching = [], [True]

    def watch(event, args):
        if watching and event in ('open', 'os.listdir', 'os.scandir'):
            opened.append(args)

    sys.addaudithook(watch)
    for path in ('/etc/passwd', '../model.safetensors', 'file:///etc/passwd'):
        client.post('/recommend', json={'user': path, 'items': [path], 'path': path})
        client.post('/recommend', json={'user': path, 'unknown': 'popular'})
        client.post('/new-item', json={'features': {path: [1.0]}})
        client.get(f'/{path}')
        client.get('/%2e%2e/%2e%2e/etc/passwd')
    watching.clear()
    assert opened == []


def test_the_schema_has_examples_and_all_statuses(board):
    schema = board.get('/openapi.json').json()
    for path in ('/recommend', '/recommend/history', '/similar', '/new-item'):
        statuses = schema['paths'][path]['post']['responses']
        assert set(statuses) == {'200', '400', '404', '408', '413', '422', '503'}
    for name in ('UserRequest', 'HistoryRequest', 'ItemRequest', 'NewItemRequest'):
        properties = schema['components']['schemas'][name]['properties']
        assert any('examples' in x for x in properties.values()), name


def test_what_a_folder_needs(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match='needs to be the folder of a run'):
        create_app(tmp_path)
    (tmp_path / 'embeddings.safetensors').write_bytes(b'{}')
    with pytest.raises(ValueError, match=r'embeddings\.safetensors'):
        create_app(tmp_path)
    write_run(tmp_path)
    write_checkerboard(tmp_path)
    with pytest.raises(ValueError, match='the items of the embeddings'):
        create_app(tmp_path)
    monkeypatch.setitem(sys.modules, 'fastapi', None)
    with pytest.raises(ImportError, match=r"pip install 'lgmrec_pyg\[serve\]'"):
        create_app(tmp_path)
