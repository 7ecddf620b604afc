"""The whole job from the command line against the local Azure: what a user has at the end."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from armlocal.sourcedisk import template
from fixedvhd import file_reader, read_gpt
from tests.e2e.tool import Said, Tool
from tests.localcloud import LocalCloud
from vhdlift.steps import PROVISION

# First of all, and so by one process: another would have to make the run again.
pytestmark = pytest.mark.slow

# Record sets and what lies inside a storage account have no tags in Azure.
TAGLESS = re.compile(r"/dnsZones/[^/]+/|/storageAccounts/[^/]+/|/subnets/|/securityRules/")
ROOT = Path(__file__).parents[2]
SHA256 = re.compile(r"[0-9a-f]{64}")


@pytest.fixture(scope="module")
def done(shared_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalCloud, Tool, Said]:
    """One completed run with no other rights than the README's role; looked at by all tests of this file."""
    shared_cloud.reset()
    role = json.loads((ROOT / "docs/role.json").read_text())
    shared_cloud.control("rights", [{"actions": role["Actions"]}])
    tool = Tool(shared_cloud.env, tmp_path_factory.mktemp("whole"))
    words = ("provision", "--json", "--vm-name", "lab1")
    said = tool.run_afresh(*words, VHDLIFT_ADMIN_PASSWORD="Sesame-Open-2026!")
    assert said.code == 0, said.err + said.out[-2000:]
    return shared_cloud, tool, said


def mail_of(cloud: LocalCloud) -> EmailMessage:
    (mail,) = cloud.mails()
    return mail


def passwords_of(cloud: LocalCloud) -> dict[str, str]:
    """User and password of each service that is on, as the owner reads them."""
    plain = mail_of(cloud).get_body(("plain",))
    assert plain is not None
    found = re.findall(r"Sign in at .* as  (\w+)  with the password  (\S+)", str(plain.get_content()))
    return dict(found)


def link_of(cloud: LocalCloud) -> str:
    plain = mail_of(cloud).get_body(("plain",))
    assert plain is not None
    return next(
        word for word in str(plain.get_content()).split() if "sig=" in word and word.startswith("http")
    )


@pytest.fixture(scope="module")
def artefact(done: tuple[LocalCloud, Tool, Said]) -> Path:
    """The VHD as the owner downloads it by the link in the mail."""
    cloud, tool, _ = done
    target = tool.folder / "download.vhd"
    context = ssl.create_default_context(cafile=cloud.env["VHDLIFT_CA_BUNDLE"])
    with (
        httpx.stream("GET", link_of(cloud), verify=context, timeout=60) as response,
        target.open("wb") as file,
    ):
        assert response.status_code == 200
        for chunk in response.iter_bytes(1 << 20):
            file.seek(len(chunk), 1) if not any(chunk) else file.write(chunk)
        file.truncate(int(response.headers["content-length"]))
    return target


def checker(program: str, *words: str) -> str:
    """The output of an outside program; the test is skipped where there is none."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run([found, *words], check=True, capture_output=True, text=True).stdout


def test_every_step_starts_and_is_done_once(done: tuple[LocalCloud, Tool, Said]) -> None:
    posts = [body["details"] for body in done[0].webhooks()]
    for state in ("started", "done"):
        told = sorted(post["step"] for post in posts if post["state"] == state)
        assert told == sorted(step.name for step in PROVISION)


def test_posts_come_in_order_and_end_with_completed(done: tuple[LocalCloud, Tool, Said]) -> None:
    bodies = done[0].webhooks()
    assert [body["sequence"] for body in bodies] == list(range(1, len(bodies) + 1))
    assert [body["status"] for body in bodies].count("provisioned") == 1
    assert bodies[-1]["status"] == "completed"


def test_the_source_vm_runs_and_the_target_has_what_it_needs(done: tuple[LocalCloud, Tool, Said]) -> None:
    left = done[0].left()
    power = {row["id"].rsplit("/", 1)[1]: row.get("powerState") for row in left if row.get("powerState")}
    assert power == {"lab-source": "running", "lab1": "running"}


def test_nothing_temporary_is_left(done: tuple[LocalCloud, Tool, Said]) -> None:
    names = [row["id"].rsplit("/", 1)[1] for row in done[0].left()]
    assert not [name for name in names if name.startswith("vhdtmp")]
    assert not [row for row in done[0].left() if row["type"].lower() == "microsoft.compute/snapshots"]


def test_everything_made_carries_the_tags_of_the_run(done: tuple[LocalCloud, Tool, Said]) -> None:
    cloud, _, said = done
    run_id = said.result["run_id"]
    made = [row for row in cloud.left() if "/resourcegroups/lab1-rg" in row["id"].lower()]
    taggable = [row for row in made if not TAGLESS.search(row["id"])]
    assert [row["id"] for row in taggable if row["tags"].get("vhdlift-run") != run_id] == []
    wanted = {"vhdlift-run", "vhdlift-expires", "vhdlift-version"}
    assert [row["id"] for row in taggable if wanted - set(row["tags"])] == []


def test_the_artefact_is_a_fixed_vhd_smaller_than_its_source(
    done: tuple[LocalCloud, Tool, Said], artefact: Path
) -> None:
    (source,) = (done[0].folder / "disks").glob("lab-source*")
    sizes = [
        json.loads(checker("qemu-img", "info", "--output=json", "-f", "vpc", str(file)))
        for file in (source, artefact)
    ]
    assert [told["virtual-size"] >> 30 for told in sizes] == [2, 1]


def test_the_files_of_windows_came_through(artefact: Path) -> None:
    """The bytes of every file, read by a program that knows nothing of ours."""
    with artefact.open("rb") as file:
        windows = read_gpt(file_reader(file), 1 << 30).partitions[2]
    image = artefact.with_name("windows.img")
    where = (f"skip={windows.offset >> 20}", f"count={(windows.end - windows.offset) >> 20}")
    checker("dd", f"if={artefact}", f"of={image}", "bs=1M", "conv=sparse", *where)
    assert "processed successfully" in checker("ntfsfix", "-n", str(image))
    for path, digest in template().files.items():
        if path.startswith("3/"):
            reader = shutil.which("ntfscat") or pytest.skip("ntfscat is not installed")
            said = subprocess.run([reader, str(image), path[2:]], check=True, capture_output=True)
            assert hashlib.sha256(said.stdout).hexdigest() == digest


def test_the_partition_table_of_the_artefact_is_sound(artefact: Path) -> None:
    raw = artefact.with_suffix(".raw")
    checker("qemu-img", "convert", "-f", "vpc", "-O", "raw", str(artefact), str(raw))
    assert "No problems found" in checker("sgdisk", "-v", str(raw))


def test_the_mail_states_what_the_owner_needs(done: tuple[LocalCloud, Tool, Said]) -> None:
    mail = mail_of(done[0])
    text = str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert "the VHD is ready" in str(mail["subject"])
    assert "lab1" in text
    assert SHA256.search(text)
    assert "azure-storage-azcopy/releases" in text


def test_the_mail_alone_hands_over_the_password_of_what_is_served(
    done: tuple[LocalCloud, Tool, Said],
) -> None:
    """Once in the text; why the others are not served is told. No other test finds it anywhere else."""
    text = str(mail_of(done[0]).get_body(("plain",)).get_content())  # type: ignore[union-attr]
    (password,) = passwords_of(done[0]).values()
    assert list(passwords_of(done[0])) == ["drop"]
    assert text.count(password) == 1
    assert text.count("no graphics card") == 2


def test_the_end_names_the_three_services_and_the_artefact(done: tuple[LocalCloud, Tool, Said]) -> None:
    facts: dict[str, Any] = done[2].result["facts"]
    hosts = [f"{name}.lab1.rehearsal.example" for name in ("pin", "drop", "web")]
    assert all(host in str(facts) for host in hosts)
    assert "sig=" not in done[2].out


def test_no_secret_is_found_where_it_does_not_belong(done: tuple[LocalCloud, Tool, Said]) -> None:
    cloud, tool, said = done
    words = ["Sesame-Open-2026!", cloud.env["AZURE_CLIENT_SECRET"], cloud.env["SMTP_PASSWORD"], "sig="]
    words += passwords_of(cloud).values()
    files = [file for file in tool.state.rglob("*") if file.is_file()]
    files += [cloud.folder / "webhooks.ndjson", cloud.folder / "requests.ndjson"]
    places = {str(file): file.read_bytes().decode("latin-1") for file in files}
    places |= {"stdout": said.out, "stderr": said.err}
    assert [(word, place) for place, text in places.items() for word in words if word in text] == []


def test_the_mail_has_no_secret_but_the_link(done: tuple[LocalCloud, Tool, Said]) -> None:
    cloud = done[0]
    parts = [
        str(part.get_content()) for part in mail_of(cloud).walk() if part.get_content_maintype() == "text"
    ]
    text = "\n".join(parts).replace(link_of(cloud), "").replace(link_of(cloud).replace("&", "&amp;"), "")
    words = ["Sesame-Open-2026!", cloud.env["AZURE_CLIENT_SECRET"], "sig="]
    assert [word for word in words if word in text] == []


def test_the_database_holds_plain_json_and_no_pickles(done: tuple[LocalCloud, Tool, Said]) -> None:
    with sqlite3.connect(done[1].state / "vhdlift.db") as database:
        formats = database.execute("select distinct serialization from operation_outputs").fetchall()
    database.close()
    assert "vhdlift_json" in {row[0] for row in formats} <= {"vhdlift_json", None}


def test_the_run_can_be_looked_at_afterwards(done: tuple[LocalCloud, Tool, Said]) -> None:
    _, tool, said = done
    shown = tool.run("show", "--json", said.result["run_id"])
    assert (shown.code, shown.result["status"]) == (0, "completed")
    assert tool.run("watch", said.result["run_id"]).code == 0
    assert said.result["run_id"] in tool.run("runs").out
