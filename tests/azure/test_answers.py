"""What is taken for an answer of Azure: bounded, of its own host, and what Azure says."""

from __future__ import annotations

from tests.azure.conftest import Answer, Arm
from vhdlift.azure.clients import Azure
from vhdlift.azure.transport import LARGEST_ANSWER
from vhdlift.azure.waiting import found

BLOB = "/account/vhdusb/old1.vhd"


async def test_the_properties_of_a_large_blob_are_no_large_answer(arm: Arm, azure: Azure) -> None:
    """A HEAD is answered with the length of what a GET would bring, and with no body."""
    head = {"Content-Length": str(LARGEST_ANSWER + 512), "x-ms-blob-type": "PageBlob", "ETag": '"1"'}
    arm.on(f"HEAD {BLOB}", Answer(headers=head))
    async with azure.blob_at(f"{arm.url}{BLOB}?sig=x") as blob:
        there = await found(blob.get_blob_properties, what="reading old1.vhd", scale=azure.scale)
    assert there is not None
    assert there.size == LARGEST_ANSWER + 512
