import asyncio
import threading
import time

import httpx2
import pytest
import torch
import uvicorn
from fastapi.testclient import TestClient
from runs import write_checkerboard

from lgmrec_pyg.serving import create_app, limits, routes
from lgmrec_pyg.serving.limits import Limits, Overloaded, Pool

ASK = {'user': 'ann', 'k': 1}


@pytest.fixture
def folder(tmp_path):
    return write_checkerboard(tmp_path)


@pytest.fixture
def gate(monkeypatch):
    r"""Requests are only answered once it is opened."""
    gate, answer = threading.Event(), routes._recommend

    def wait(*args):
        assert gate.wait(60)
        return answer(*args)

    monkeypatch.setattr(routes, '_recommend', wait)
    yield gate
    gate.set()


def in_threads(call, count):
    out = []
    threads = [
        threading.Thread(target=lambda: out.append(call())) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return out, threads


def answers(url):
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def wait_for_work(app, count):
    (middleware,) = app.user_middleware
    while middleware.kwargs['pool'].active < count:
        time.sleep(0.01)


def test_too_many_requests_are_refused_and_the_others_answered(folder, gate):
    app = create_app(folder, threads=1, max_requests=3)
    with TestClient(app) as client:
        out, threads = in_threads(lambda: client.post('/recommend', json=ASK), 3)
        wait_for_work(app, 3)
        refused = client.post('/recommend', json=ASK)
        assert refused.status_code == 503
        assert refused.headers['retry-after'] == '1'
        assert 'Too many requests' in refused.json()['detail']
        assert client.get('/health').status_code == 200
        gate.set()
        for thread in threads:
            thread.join()
        assert [response.status_code for response in out] == [200] * 3
        assert client.post('/recommend', json=ASK).status_code == 200


def test_requests_in_work_are_answered_before_the_end(folder, gate):
    app = create_app(folder)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level='warning'))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f'http://127.0.0.1:{port}/recommend'
    out, threads = in_threads(lambda: httpx2.post(url, json=ASK, timeout=60), 2)
    wait_for_work(app, 2)
    server.should_exit = True
    while answers(f'http://127.0.0.1:{port}/health'):
        pass  # Until it takes no more.
    gate.set()
    for each in (*threads, thread):
        each.join()
    assert [response.status_code for response in out] == [200] * 2


def test_pool_refuses_when_it_is_full():
    async def run():
        pool, gate = Pool(1, 2), threading.Event()
        tasks = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pool.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*tasks) == [True, True]
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)
        assert pool.active == 0
        pool.close()

    asyncio.run(run())


def test_threads_of_the_pool_use_one_core_each():
    async def run():
        pool = Pool(3, 50)
        found = await asyncio.gather(*(pool.run(look) for _ in range(30)))
        pool.close()
        return found

    def look():
        return torch.get_num_threads(), threading.get_ident()

    before = torch.get_num_threads()
    found = asyncio.run(run())
    torch.set_num_threads(before)
    assert {count for count, _ in found} == {1}
    assert 1 <= len({ident for _, ident in found}) <= 3


def ask(app, *messages, pause=0.0):
    r"""What an application sends for the messages of a request."""
    sent, left = [], list(messages)

    async def receive():
        if not left:
            await asyncio.sleep(pause)
            return {'type': 'http.disconnect'}
        return left.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app({'type': 'http', 'path': '/recommend'}, receive, send))
    return sent


def body(content, more=False):
    return {'type': 'http.request', 'body': content, 'more_body': more}


def test_bodies_come_whole_or_not_at_all(monkeypatch):
    seen = []

    async def app(scope, receive, send):
        seen.append((await receive())['body'])

    limited = Limits(app, Pool(1, 1))
    assert ask(limited, body(b'a', True), body(b'b', True), body(b'c')) == []
    assert seen == [b'abc']
    ask(limited, body(b'a', True))  # Then, the client went.
    monkeypatch.setattr(limits, 'MAX_BYTES', 4)
    (start, _) = ask(limited, body(b'abc', True), body(b'de', True), body(b'f'))
    assert start['status'] == 413
    ask(limited, body(b'abcd'))
    monkeypatch.setattr(limits, 'READ_SECONDS', 0.05)
    (start, _) = ask(limited, body(b'a', True), pause=60)
    assert start['status'] == 408
    assert seen == [b'abc', b'abcd']
