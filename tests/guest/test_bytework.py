"""The guest's C#, run by Mono: footer, partition tables, hashes, signatures, scrubbing, native programs.

The same rules in Python are the package `fixedvhd`; `tests/golden/*.json` holds both to the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

import fixedvhd
from tests.outside import run

if TYPE_CHECKING:
    from tests.guest.mono import Harness

GOLDEN = Path(__file__).parent.parent / "golden"
FOOTERS: list[dict[str, Any]] = json.loads((GOLDEN / "footers.json").read_text())["footers"]
GPTS: list[dict[str, Any]] = json.loads((GOLDEN / "gpt_fit.json").read_text())["disks"]
MIB = 1 << 20


def unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def disk(path: Path, case: dict[str, Any], which: str) -> Path:
    """A sparse disk with the written parts of one golden case, and a footer."""
    with path.open("wb") as file:
        for patch in case[which]:
            file.seek(patch["offset"])
            file.write(unpack(patch["data"]))
        file.truncate(case["size"])
        file.seek(case["size"])
        file.write(fixedvhd.build_footer(case["size"], UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)))
    return path


def mbr_disk() -> bytes:
    """4 MiB with one active partition of NTFS's type."""
    entry = bytes([0x80, 0, 0, 0, 7, 0, 0, 0]) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    return bytes(446) + entry + bytes(48) + b"\x55\xaa" + bytes(4 * MIB - 512)


def table(path: Path) -> fixedvhd.Gpt:
    """The partition table as the package of bytes reads it."""
    return fixedvhd.read_gpt(fixedvhd.chunk_reader({0: path.read_bytes()}), path.stat().st_size - 512)


def ids_of(gpt: fixedvhd.Gpt) -> list[str]:
    """The identifiers of disk and partitions, in the order of the table."""
    return [str(gpt.disk_id), *(str(p.unique_id) for p in gpt.partitions)]


def ids(guest: Harness, path: Path, case: dict[str, Any]) -> list[str]:
    """The same as the guest reads them."""
    return guest.run("ids", path, case["size"]).split()


@pytest.mark.parametrize("case", FOOTERS, ids=lambda c: str(c["size"]))
def test_python_writes_the_golden_footer(case: dict[str, Any]) -> None:
    made = datetime.fromtimestamp(case["epoch"], UTC)
    assert fixedvhd.build_footer(case["size"], UUID(case["id"]), made).hex() == case["hex"]


@pytest.mark.parametrize("case", FOOTERS, ids=lambda c: str(c["size"]))
def test_the_guest_writes_the_golden_footer(guest: Harness, case: dict[str, Any]) -> None:
    assert guest.run("footer", case["size"], case["epoch"], case["id"]) == case["hex"]


def test_qemu_reads_the_guests_vhd_with_its_exact_size(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "x.vhd"
    path.write_bytes(b"")
    guest.run("footer-write", path, 160 * MIB, 1_800_000_000, "11" * 16)
    told = json.loads(run("qemu-img", "info", "-f", "vpc", "--output=json", path))
    assert told["virtual-size"] == 160 * MIB
    assert guest.run("footer-problem", path) == ""


@pytest.mark.parametrize("size", [2 * MIB, 4 * MIB], ids=["smaller", "as it was"])
def test_a_power_cut_never_leaves_a_vhd_without_its_footer(guest: Harness, tmp_path: Path, size: int) -> None:
    """After each write and each cut the file ends in a footer that is sound."""
    path = tmp_path / "x.vhd"
    path.write_bytes(
        bytes(4 * MIB) + fixedvhd.build_footer(4 * MIB, UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC))
    )
    seen = guest.run("footer-cuts", path, size).splitlines()
    assert [line.split()[0] for line in seen] == ["wrote", "cut"]
    assert all(line.endswith(" sound") for line in seen)
    assert path.stat().st_size == size + 512


@pytest.mark.parametrize(
    ("at", "byte", "said"),
    [
        (0, 0x58, "the cookie conectix is missing"),
        (100, 1, "checksum"),
        (63, 3, "disk type 3, a fixed disk has 2"),
        (54, 1, "the file holds"),
        (55, 1, "is not whole MiB"),
    ],
)
def test_a_wrong_footer_is_named(guest: Harness, tmp_path: Path, at: int, byte: int, said: str) -> None:
    path = disk(tmp_path / "x.vhd", GPTS[0], "after")
    with path.open("r+b") as file:
        file.seek(GPTS[0]["size"] + at)
        file.write(bytes([byte]))
    assert said in guest.run("footer-problem", path)


@pytest.mark.parametrize("case", GPTS, ids=lambda c: c["name"])
def test_the_guest_moves_the_backup_gpt_as_the_golden_bytes_say(
    guest: Harness, tmp_path: Path, case: dict[str, Any]
) -> None:
    path = disk(tmp_path / "x.vhd", case, "before")
    told = f"gpt {case['partitions']} {case['at_end']} {case.get('told', '')}"
    assert guest.run("layout", path, case["size"]) == told
    guest.run("fit", path, case["size"])
    after = disk(tmp_path / "y.vhd", case, "after")
    with path.open("rb") as mine, after.open("rb") as theirs:
        for patch in case["after"]:
            size = len(unpack(patch["data"]))
            mine.seek(patch["offset"])
            theirs.seek(patch["offset"])
            assert mine.read(size) == theirs.read(size)
    assert guest.run("layout", path, case["size"]) == f"gpt {case['partitions']} True "


def test_sgdisk_finds_no_problem_in_the_guests_gpt(guest: Harness, tmp_path: Path) -> None:
    case = next(c for c in GPTS if not c["at_end"])
    path = disk(tmp_path / "x.vhd", case, "before")
    guest.run("fit", path, case["size"])
    with path.open("r+b") as file:
        file.truncate(case["size"])
    assert "No problems found" in run("sgdisk", "-v", path)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (510, "no boot signature"),
        (512, "the primary GPT header is missing"),
        (512 + 56, "the primary GPT header's CRC is wrong"),
        (1024, "the CRC of the primary GPT's entries is wrong"),
        (-512, "the backup GPT header is missing"),
        (-512 + 56, "the backup GPT header's CRC is wrong"),
        (-33 * 512 + 40, "the CRC of the backup GPT's entries is wrong"),
    ],
)
def test_a_damaged_table_is_named(guest: Harness, tmp_path: Path, at: int, said: str) -> None:
    case = GPTS[0]
    path = disk(tmp_path / "x.vhd", case, "after")
    with path.open("r+b") as file:
        file.seek(at if at >= 0 else case["size"] + at)
        file.write(b"\xa5")
    assert said in guest.run("layout", path, case["size"])


def test_an_mbr_disk_needs_no_backup(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbr_disk())
    assert guest.run("layout", path, 4 * MIB) == "mbr 1 True "
    assert "ends at sector 6144, the disk has 4096" in guest.run("layout", path, 2 * MIB)


def test_an_empty_disk_is_named(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(510) + b"\x55\xaa" + bytes(MIB))
    assert "there is no partition" in guest.run("layout", path, MIB)


def test_a_backup_cannot_be_put_onto_a_partition(guest: Harness, tmp_path: Path) -> None:
    case = GPTS[0]
    path = disk(tmp_path / "x.vhd", case, "after")
    assert "a partition ends at sector" in guest.run("fit", path, 2 * MIB, ok=False)


def test_new_identifiers_are_on_disk_and_partitions_in_both_tables(guest: Harness, tmp_path: Path) -> None:
    """As many as there were, each new, and nothing else in the tables is another."""
    case = GPTS[0]
    path = disk(tmp_path / "x.vhd", case, "after")
    old = table(path)
    assert ids(guest, path, case) == ids_of(old)
    fresh = guest.run("fresh-ids", " ".join(ids_of(old)))
    guest.run("set-ids", path, case["size"], fresh)
    new = table(path)
    assert ids_of(new) == ids(guest, path, case) == fresh.split()
    assert not {*ids_of(new)} & {*ids_of(old)}
    assert [(p.kind, p.first, p.last) for p in new.partitions] == [
        (p.kind, p.first, p.last) for p in old.partitions
    ]
    assert guest.run("layout", path, case["size"]) == f"gpt {case['partitions']} True "


@pytest.mark.parametrize("broken", [1024, 1024 + 512, -512, -33 * 512], ids=lambda at: f"at {at}")
def test_new_identifiers_that_a_crash_left_half_written_are_written_again(
    guest: Harness, tmp_path: Path, broken: int
) -> None:
    """Entries of either table, or the backup's header: the other table is whole, and the end is the same."""
    case = GPTS[0]
    path = disk(tmp_path / "x.vhd", case, "after")
    fresh = guest.run("fresh-ids", " ".join(ids(guest, path, case)))
    guest.run("set-ids", path, case["size"], fresh)
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(broken if broken >= 0 else case["size"] + broken)
        file.write(b"\xa5" * 16)
    guest.run("set-ids", path, case["size"], fresh)
    assert path.read_bytes() == whole


def test_an_mbr_disk_has_one_identifier(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbr_disk())
    fresh = guest.run("fresh-ids", guest.run("ids", path, 4 * MIB))
    assert len(fresh) == 8
    guest.run("set-ids", path, 4 * MIB, "0a1b2c3d")
    assert path.read_bytes()[440:444] == bytes.fromhex("3d2c1b0a")
    assert guest.run("ids", path, 4 * MIB) == "0a1b2c3d"


def test_drive_letters_follow_the_new_identifiers(guest: Harness) -> None:
    """The registry's bytes for a partition of a GPT disk, of an MBR disk, and for another volume."""
    old, new, other = UUID(int=1 << 100), UUID(int=2 << 100), UUID(int=3 << 100)
    value = (b"DMIO:ID:" + old.bytes_le).hex()
    pairs = (f"{other} {old}", f"{other} {new}")
    assert guest.run("remount", value, *pairs) == (b"DMIO:ID:" + new.bytes_le).hex()
    place = (1 << 20).to_bytes(8, "little").hex()
    assert guest.run("remount", "3d2c1b0a" + place, "0a1b2c3d", "01020304") == "04030201" + place
    assert guest.run("remount", value, str(new), str(other)) == ""


def test_the_ends_are_kept_as_they_were(guest: Harness, tmp_path: Path) -> None:
    case = GPTS[0]
    path = disk(tmp_path / "x.vhd", case, "after")
    guest.run("ends", path, case["size"], tmp_path / "ends")
    whole = path.read_bytes()
    assert (tmp_path / "ends").read_bytes() == whole[: 34 * 512] + whole[-35 * 512 :]


def test_crc32_is_the_common_one(guest: Harness) -> None:
    assert guest.run("crc", "123456789") == f"{zlib.crc32(b'123456789'):08x}" == "cbf43926"


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 5 * MIB + 3])
def test_the_hash_of_a_file(guest: Harness, tmp_path: Path, size: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert guest.run("hash-work", path) == f"{size}/{size}  {digest}"


def test_page_lists_are_read_as_python_reads_them(guest: Harness, tmp_path: Path) -> None:
    body = (
        b"<PageList><PageRange><Start>0</Start><End>511</End></PageRange><ClearRange><Start>512</Start>"
        b"<End>1048575</End></ClearRange><PageRange><Start>1048576</Start><End>2097151</End></PageRange></PageList>"
    )
    path = tmp_path / "x.xml"
    path.write_bytes(body)
    theirs = " ".join(f"{e.offset}-{e.end - 1}" for e in fixedvhd.parse_page_list(body).data)
    assert guest.run("parse", path) == f"{theirs}|"


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><PageList/>',
        "<PageList><PageRange><Start>9</Start><End>99</End><Start>0</Start><End>5</End></PageRange></PageList>",
        "<PageList>",
    ],
)
def test_a_page_list_that_cannot_be_trusted_is_an_error(guest: Harness, tmp_path: Path, body: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(body)
    guest.run("parse", path, ok=False)


@pytest.mark.parametrize(
    "secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_signatures_are_those_of_standard_webhooks(guest: Harness, secret: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    theirs = Webhook(secret).sign("run.guest.7", moment, '{"a":1}')
    assert guest.run("sign", secret, "run.guest.7", int(moment.timestamp()), '{"a":1}') == theirs


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET https://h/x?sv=1&sig=abc%2Bdef&se=2 failed", "GET https://h/x?sv=1&sig=***&se=2 failed"),
        ("url?SIG=Zm9v'", "url?SIG=***'"),
        ("nested%3Fsig%3Dabcdef done", "nested%3Fsig%3D*** done"),
        ("AccountKey=abc==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("key hunter2/+ and hunter2%2F%2B here", "key *** and *** here"),
        ("design=blue, nothing secret", "design=blue, nothing secret"),
    ],
)
def test_secrets_are_taken_out_of_text(guest: Harness, text: str, clean: str) -> None:
    assert guest.run("scrub", text, "hunter2/+") == clean


def test_a_file_is_replaced_as_a_whole(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    guest.run("replace", path, '{"a":1}')
    guest.run("replace", path, '{"a":2}')
    assert path.read_bytes() == b'{"a":2}'
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_the_tail_of_a_log(guest: Harness, tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert guest.run("tail", path, 5) == ""
    path.write_text("0123456789")
    assert guest.run("tail", path, 5) == "56789"
    assert guest.run("tail", path, 50) == "0123456789"


def test_a_native_program_gets_its_arguments_as_given(guest: Harness) -> None:
    arguments = ["plain", "with space", 'quo"te', "back\\", "a b\\", "", 'x\\"y', "?a=1&b=%20"]
    code = "import sys, os, json; print(json.dumps([sys.argv[1:], os.environ['GIVEN']]))"
    said = guest.run("native", sys.executable, "-c", code, *arguments).splitlines()
    assert said[0] == "0"
    assert json.loads(said[1]) == [arguments, "from the guest"]


def test_a_native_programs_end_and_all_its_lines_are_seen(guest: Harness) -> None:
    code = "import sys; [print(i) for i in range(2000)]; print('sig=abc', file=sys.stderr); sys.exit(3)"
    said = guest.run("native", sys.executable, "-c", code).splitlines()
    assert said[0] == "3"
    assert sorted(said[1:]) == sorted([*map(str, range(2000)), "sig=***"])


def test_a_program_that_is_not_there_is_an_error(guest: Harness) -> None:
    assert guest.run("native", "/nowhere/azcopy.exe").startswith("-1")
