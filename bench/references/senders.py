"""One client at a time sends template messages as fast as it can, and tells what that cost it.

    python senders.py wechatpy http://127.0.0.1:8001 TOKEN 10000 128

Each is written as somebody who knows it well would: connections are kept and pooled, threads share one counter,
nothing grows with the number of messages.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import queue
import re
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

PATH = "/cgi-bin/message/template/send"
FIELDS = {
    "thing1": "主题党日",
    "thing2": "本周五八点半开展主题党日活动",
    "thing3": "市法学会",
    "time4": "2026年11月13日 08:30",
}
DATA = {name: {"value": value} for name, value in FIELDS.items()}
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Job:
    url: str
    token: str
    messages: int
    connections: int

    @property
    def address(self) -> str:
        return f"{self.url}{PATH}?access_token={self.token}"


def notice(number: int) -> dict[str, Any]:
    return {
        "touser": f"oSimBulk{number:020d}",
        "template_id": "SIM-notice",
        "client_msg_id": f"m{number}",
        "data": DATA,
    }


def body(number: int) -> bytes:
    return json.dumps(notice(number), ensure_ascii=False).encode()


def wechatpy(job: Job) -> int:
    import requests
    from wechatpy import WeChatClient

    client = WeChatClient("wx", "", access_token=job.token, timeout=TIMEOUT_SECONDS, auto_retry=False)
    client.API_BASE_URL = f"{job.url}/cgi-bin/"
    # Its own pool keeps ten connections and throws the others away after each call.
    client._http.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=job.connections))

    # message.send_template knows no client_msg_id.
    return _in_threads(job, lambda number: client.post("message/template/send", data=notice(number)))


def requests_session(job: Job) -> int:
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=job.connections))
    return _in_threads(
        job, lambda number: session.post(job.address, data=body(number), timeout=TIMEOUT_SECONDS).json()
    )


def urllib3_pool(job: Job) -> int:
    import urllib3

    pool = urllib3.PoolManager(maxsize=job.connections, block=True, retries=False)
    kind = {"Content-Type": "application/json"}
    return _in_threads(
        job, lambda number: json.loads(pool.request("POST", job.address, body=body(number), headers=kind).data)
    )


def _in_threads(job: Job, send: Callable[[int], Any]) -> int:
    numbers, taken = iter(range(job.messages)), queue.SimpleQueue[int]()

    def work() -> None:
        mine = sum(send(number)["errcode"] == 0 for number in numbers)
        taken.put(mine)

    threads = [threading.Thread(target=work) for _ in range(job.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(taken.get() for _ in range(taken.qsize()))


def aiohttp_session(job: Job) -> int:
    import aiohttp
    import uvloop

    async def run() -> int:
        numbers = iter(range(job.messages))
        limit, patience = aiohttp.TCPConnector(limit=job.connections), aiohttp.ClientTimeout(TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=limit, timeout=patience) as session:

            async def work() -> int:
                mine = 0
                for number in numbers:
                    async with session.post(job.address, data=body(number)) as response:
                        mine += (await response.json(content_type=None))["errcode"] == 0
                return mine

            return sum(await asyncio.gather(*[work() for _ in range(job.connections)]))

    return uvloop.run(run())


def pycurl_multi(job: Job) -> int:
    """libcurl drives its sockets, epoll says which; a handle is taken up again as soon as it has its answer."""
    import pycurl  # type: ignore[import-not-found, import-untyped, unused-ignore]

    multi, poll, deadline = pycurl.CurlMulti(), select.epoll(), [0.0]
    numbers, taken = iter(range(job.messages)), 0
    events = {pycurl.POLL_IN: select.EPOLLIN, pycurl.POLL_OUT: select.EPOLLOUT}
    events[pycurl.POLL_INOUT] = select.EPOLLIN | select.EPOLLOUT
    watched: set[int] = set()

    def watch(what: int, descriptor: int, *_: Any) -> None:
        if what == pycurl.POLL_REMOVE:
            watched.discard(descriptor)
            poll.unregister(descriptor)
        elif descriptor in watched:
            poll.modify(descriptor, events[what])
        else:
            watched.add(descriptor)
            poll.register(descriptor, events[what])

    def remember(milliseconds: int) -> None:
        deadline[0] = time.monotonic() + milliseconds / 1000 if milliseconds >= 0 else float("inf")

    multi.setopt(pycurl.M_SOCKETFUNCTION, watch)
    multi.setopt(pycurl.M_TIMERFUNCTION, remember)
    multi.setopt(pycurl.M_MAXCONNECTS, job.connections)

    def begin(handle: Any, number: int) -> None:
        handle.answer = BytesIO()
        handle.setopt(pycurl.POSTFIELDS, body(number))
        handle.setopt(pycurl.WRITEDATA, handle.answer)
        multi.add_handle(handle)

    under_way = 0
    for number in itertools.islice(numbers, job.connections):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, job.address)
        handle.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Expect:"])
        handle.setopt(pycurl.TIMEOUT, TIMEOUT_SECONDS)
        begin(handle, number)
        under_way += 1
    while under_way:
        ready = poll.poll(max(0.0, min(deadline[0] - time.monotonic(), 0.5)))
        for descriptor, happened in ready:
            flags = pycurl.CSELECT_IN * bool(happened & ~select.EPOLLOUT)
            multi.socket_action(descriptor, flags | pycurl.CSELECT_OUT * bool(happened & select.EPOLLOUT))
        if time.monotonic() >= deadline[0]:
            deadline[0] = float("inf")
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        _, whole, failed = multi.info_read()
        for handle in [*whole, *(one for one, *_ in failed)]:
            multi.remove_handle(handle)
            taken += handle in whole and json.loads(handle.answer.getvalue())["errcode"] == 0
            under_way -= 1
            if (following := next(numbers, None)) is not None:
                begin(handle, following)
                under_way += 1
    return taken


def ours(job: Job) -> int:
    from bot.fanout import Answer, Call, Fanout

    answers = queue.SimpleQueue[list[Answer]]()
    fanout = Fanout(job.url, answers.put, job.connections, timeout_seconds=TIMEOUT_SECONDS)
    numbers, heard, taken = iter(range(job.messages)), 0, 0

    def submit(count: int) -> None:
        calls = [Call(PATH, body(number), number) for number in itertools.islice(numbers, count)]
        fanout.submit(calls, job.token)

    submit(4 * job.connections)
    while heard < job.messages:
        batch = answers.get()
        heard += len(batch)
        taken += sum(answer.result.get("errcode") == 0 for answer in batch)
        submit(len(batch))
    fanout.close()
    return taken


SENDERS = {
    "wechatpy": wechatpy,
    "requests": requests_session,
    "urllib3": urllib3_pool,
    "aiohttp": aiohttp_session,
    "pycurl": pycurl_multi,
    "ours": ours,
}


def megabytes(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, job: Job) -> dict[str, float]:
    SENDERS[name](Job(job.url, job.token, 1, 1))  # everything is imported and warm
    before, worked, began = megabytes("VmRSS"), cpu_seconds(), time.perf_counter()
    taken = SENDERS[name](job)
    seconds, cpu = time.perf_counter() - began, cpu_seconds() - worked
    peak = megabytes("VmHWM")
    return {"taken": taken, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, "grown_mb": peak - before}


if __name__ == "__main__":
    name, url, token, messages, connections = sys.argv[1:]
    print(json.dumps(measured(name, Job(url, token, int(messages), int(connections)))))
