"""What is taken for an answer of Azure: bounded, of its own host, and what Azure says."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm, serving_arm, settings_of, vm_path
from vhdlift.azure.clients import Azure, open_clients
from vhdlift.azure.transport import LARGEST_ANSWER
from vhdlift.azure.waiting import asked, finished, found, listed
from vhdlift.errors import AzureRefused, VhdliftError

BLOB = "/account/vhdusb/old1.vhd"
OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/uksouth/operations/1"
HUGE = 100 * 2**20
PIECE = b" " * 2**16


async def read(azure: Azure) -> Any:
    """One plain call, without the patience that a run has."""
    get = azure.compute.virtual_machines.get
    return await asked(get, "rg", "vm1", what="reading vm1", kind="probe", scale=1.0)


async def test_the_properties_of_a_large_blob_are_no_large_answer(arm: Arm, azure: Azure) -> None:
    """A HEAD is answered with the length of what a GET would bring, and with no body."""
    head = {"Content-Length": str(LARGEST_ANSWER + 512), "x-ms-blob-type": "PageBlob", "ETag": '"1"'}
    arm.on(f"HEAD {BLOB}", Answer(headers=head))
    async with azure.blob_at(f"{arm.url}{BLOB}?sig=x") as blob:
        there = await found(blob.get_blob_properties, what="reading old1.vhd", scale=azure.scale)
    assert there is not None
    assert there.size == LARGEST_ANSWER + 512


NO_ARM: dict[str, tuple[bytes, str]] = {
    "a page": (b"<html>Please sign in to the hotel's network</html>", "text/html"),
    "a page that says it is JSON": (b"<html>Please sign in</html>", "application/json"),
    "half an object": (b'{"name": "vm1", "prop', "application/json"),
    "bytes": (bytes(range(256)), "application/octet-stream"),
    "another encoding": ('{"name": "vm1"}'.encode("utf-16"), "application/json"),
    "deep nesting": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json"),
    "a list": (b"[]", "application/json"),
    "a text": (b'"vm1"', "application/json"),
    "null": (b"null", "application/json"),
    "a list of nothing in text": (b" \r\n[null]", "text/plain"),
}


@pytest.mark.parametrize("kind", NO_ARM)
async def test_what_is_no_answer_of_arm_is_told_as_such(kind: str, arm: Arm, azure: Azure) -> None:
    """A sentence and a hint, whatever it is."""
    body, content_type = NO_ARM[kind]

    async def odd(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": content_type})

    arm.other = odd
    with pytest.raises(AzureRefused) as refused:
        await read(azure)
    assert refused.value.code == "UnreadableAnswer"
    assert refused.value.sentence.startswith("reading vm1: ")
    assert "between here and Azure" in refused.value.hint
    assert len(refused.value.sentence) < 1200


async def test_what_is_no_answer_of_arm_may_be_one_the_next_time(arm: Arm, azure: Azure) -> None:
    """A run waits for a network whose sign-in page answers in Azure's place."""
    arm.on(f"GET {vm_path()}", Answer(200, ["sign in"]), Answer(200, "sign in"), Answer(body={"name": "vm1"}))
    get = azure.compute.virtual_machines.get
    vm = await asked(get, "rg", "vm1", what="reading vm1", scale=azure.scale)
    assert vm.name == "vm1"


@pytest.mark.parametrize("body", [{"value": [None]}, {"value": 7}, {"value": None}, {}])
async def test_a_list_of_something_else_is_told_as_such(body: Any, arm: Arm, azure: Azure) -> None:
    """It is never taken for an empty one: then all that is in it would count as gone."""
    arm.on(f"GET /subscriptions/{SUBSCRIPTION}/resourcegroups", Answer(body=body))
    with pytest.raises(AzureRefused, match="could not be read"):
        await listed(azure.resources.resource_groups.list, what="listing groups", scale=0.0001)


@pytest.mark.parametrize("name", ["resources", "resourcegroups", "providers"])
async def test_a_group_may_be_called_like_a_list(name: str, arm: Arm, azure: Azure) -> None:
    group = {"id": "x", "name": name, "location": "uksouth"}
    arm.on(f"GET /subscriptions/{SUBSCRIPTION}/resourcegroups/{name}", Answer(body=group))
    there = await asked(azure.resources.resource_groups.get, name, what="reading it", scale=0.0001)
    assert there.name == name


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_of_100_mb_is_not_read(status: int, packed: bool, arm: Arm, azure: Azure) -> None:
    """Whatever it says of its length, and packed so that it is small on the way: memory stays bounded."""

    async def flood(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        await answer.prepare(request)
        pieces = [gzip.compress(b" " * HUGE, 1)] if packed else [PIECE] * (HUGE // len(PIECE))
        for piece in pieces:
            await answer.write(piece)
        return answer

    arm.other = flood
    tracemalloc.start()
    try:
        with pytest.raises(AzureRefused, match="larger than 16 MiB"):
            await read(azure)
        # The server's own packed flood, which is made of 100 MiB in one piece, is not the client's.
        most = tracemalloc.get_traced_memory()[1] - (HUGE if packed else 0)
    finally:
        tracemalloc.stop()
    assert most < 4 * LARGEST_ANSWER


@asynccontextmanager
async def elsewhere(folder: Path) -> AsyncIterator[Arm]:
    """Another host, which anybody may be: nothing is to be sent there."""
    (folder / "elsewhere").mkdir()
    async with serving_arm(folder / "elsewhere") as other:
        other.on(f"GET {vm_path()}", Answer(body={"name": "vm1"}))
        yield other


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_redirect_is_not_followed(
    status: int, scheme: str, arm: Arm, azure: Azure, tmp_path: Path
) -> None:
    """The token goes to Azure alone; the error names where it was to go."""
    async with elsewhere(tmp_path) as other:
        place = other.url.replace("https", scheme) + vm_path()
        arm.on(f"GET {vm_path()}", Answer(status, headers={"Location": place}))
        with pytest.raises(AzureRefused, match=r"a redirect to 127\.0\.0\.1"):
            await read(azure)
    assert other.seen == []


async def test_the_sign_in_is_not_redirected(arm: Arm, tmp_path: Path) -> None:
    """The client's secret goes to the authority alone."""
    async with elsewhere(tmp_path) as other:
        arm.token = Answer(307, headers={"Location": f"{other.url}/tenant/oauth2/v2.0/token"})
        async with open_clients(settings_of(arm)) as azure:
            with pytest.raises(VhdliftError) as refused:
                await read(azure)
    assert (other.seen, other.tokens_asked) == ([], 0)
    assert "a-client-secret" not in str(refused.value)


async def test_an_upload_is_not_redirected(arm: Arm, azure: Azure, tmp_path: Path) -> None:
    """What is uploaded may hold secrets, and its address has one."""
    async with elsewhere(tmp_path) as other:
        arm.on(f"PUT {BLOB}", Answer(307, headers={"Location": f"{other.url}{BLOB}"}))
        async with azure.blob_at(f"{arm.url}{BLOB}?sig=c2VjcmV0") as blob:
            with pytest.raises(VhdliftError) as refused:
                await asked(blob.upload_blob, b"secret", what="uploading", kind="probe", scale=1.0)
    assert other.seen == []
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_an_operation_elsewhere_is_not_asked_about(
    header: str, arm: Arm, azure: Azure, tmp_path: Path
) -> None:
    async with elsewhere(tmp_path) as other:
        arm.on(f"POST {vm_path('/start')}", Answer(202, headers={header: f"{other.url}{OPERATION}"}))
        begin = azure.compute.virtual_machines.begin_start
        with pytest.raises(AzureRefused, match="another host"):
            await finished(begin, "rg", "vm1", what="starting vm1", kind="vm_start", scale=0.001)
    assert other.seen == []


async def test_a_next_page_elsewhere_is_not_asked_for(arm: Arm, azure: Azure, tmp_path: Path) -> None:
    async with elsewhere(tmp_path) as other:
        body = {"value": [{"id": "/x", "name": "x"}], "nextLink": f"{other.url}/more"}
        arm.on(f"GET /subscriptions/{SUBSCRIPTION}/resourcegroups", Answer(body=body))
        with pytest.raises(AzureRefused, match="another host"):
            await listed(azure.resources.resource_groups.list, what="listing groups", scale=0.001)
    assert other.seen == []


def certificate(authority: trustme.CA, wrong: str) -> trustme.LeafCert:
    """One that is wrong in one way."""
    if wrong == "another name":
        return authority.issue_cert("management.example")
    if wrong == "another authority":
        return trustme.CA().issue_cert("127.0.0.1")
    return authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize("wrong", ["another name", "another authority", "expired"])
@pytest.mark.parametrize("what", ["ARM", "the sign-in", "a blob"])
async def test_tls_is_always_verified(what: str, wrong: str, arm: Arm, tmp_path: Path) -> None:
    """By every client; nothing is sent, and it is an error at once."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate(authority, wrong).configure_cert(context)
    trusted = tmp_path / "both.pem"
    trusted.write_bytes(arm.ca.read_bytes() + authority.cert_pem.bytes())
    arrived: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        places = {"arm_endpoint": url} if what == "ARM" else {"authority_host": url}
        given = settings_of(arm, ca_bundle=trusted, **({} if what == "a blob" else places))
        async with open_clients(given) as azure, azure.blob_at(f"{url}{BLOB}?sig=x") as blob:
            group = partial(azure.resources.resource_groups.get, "rg")
            call = blob.get_blob_properties if what == "a blob" else group
            with pytest.raises(VhdliftError, match=r"(?i)certificate"):
                await asked(call, what="reading it", scale=1.0)
    assert [data for data in arrived if data] == []
