"""Where settings come from, and how everything that is wrong is told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vhdlift import redaction
from vhdlift.errors import UsageError
from vhdlift.options import BY_NAME, SETTINGS
from vhdlift.settings import Settings, child_environment, load_settings

if TYPE_CHECKING:
    from pathlib import Path

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
SOURCE_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/Old-rg/providers/microsoft.compute/virtualMachines/old"
)
ENOUGH = {"source_vm": SOURCE_ID, "vm_name": "Lab1", "domain": "example.org", "location": "uksouth"}


DOTENV = "VHDLIFT_VM_NAME=dotenv\nVHDLIFT_LOCATION=dotenv\nexport VHDLIFT_SUBDOMAIN='dotenv'\n"
TOML = 'vm_name = "toml"\nlocation = "toml"\nsubdomain = "toml"\nport = [1, 2]\n'


def problems(options: dict[str, Any], env: dict[str, str], cwd: Path, *, for_run: bool = False) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_settings(options, env, cwd, for_run=for_run)
    return caught.value.problems


@pytest.fixture
def everywhere(tmp_path: Path) -> Path:
    (tmp_path / "vhdlift.toml").write_text(TOML)
    (tmp_path / ".env").write_text(DOTENV)
    return tmp_path


def test_an_option_beats_the_environment_beats_dotenv_beats_the_file(everywhere: Path) -> None:
    """Each place is asked only for what the places before it do not say."""
    found = load_settings(
        {"vm_name": "option"}, {"VHDLIFT_VM_NAME": "env", "VHDLIFT_LOCATION": "env"}, everywhere
    )
    assert (found.vm_name, found.location, found.subdomain, found.port) == ("option", "env", "dotenv", (1, 2))


def test_what_is_empty_counts_as_not_given(everywhere: Path) -> None:
    """An option that was not used and a variable that is empty hide nothing."""
    found = load_settings({"vm_name": None, "port": []}, {"VHDLIFT_VM_NAME": ""}, everywhere)
    assert (found.vm_name, found.port) == ("dotenv", (1, 2))


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without arguments the process's own environment and directory are read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VHDLIFT_VM_NAME", "from-env")
    (tmp_path / "vhdlift.toml").write_text('location = "fromfile"\n')
    found = load_settings({})
    assert (found.vm_name, found.location) == ("from-env", "fromfile")


ALL_AT_ONCE = [
    ".env, line 2: must be NAME=value",
    "vhdlift.toml: 'vm_nam' is not a setting; did you mean 'vm_name'?",
    "option 'zone' is not a setting",
    (
        "--vm-name (VHDLIFT_VM_NAME) is '12345': must have 1 to 15 letters, digits or hyphens, not digits "
        "alone, and no hyphen at either end"
    ),
    (
        "--image (VHDLIFT_IMAGE) in .env is 'ubuntu': must be publisher:offer:sku:version, where version is "
        "'latest' or like 26100.4061.250510"
    ),
    "--os-disk-gb (VHDLIFT_OS_DISK_GB) in vhdlift.toml is '10': must be at least 30",
    "VHDLIFT_ADMIN_PASSWORD must have 12 to 123 characters",
    "--email (VHDLIFT_EMAIL) is '\\x1b[31m@x': must be a mail address such as ann@example.org",
    "SMTP_PORT is 'x': must be a whole number",
    (
        "--source-resource-group (VHDLIFT_SOURCE_RESOURCE_GROUP) must be 'Old-rg', as the resource id in "
        "--source-vm (VHDLIFT_SOURCE_VM) says"
    ),
    (
        "--domain (VHDLIFT_DOMAIN) is missing: the DNS zone in which the names `pin.`, `drop.` and `web.` "
        "are made."
    ),
]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Wrong values of all places, unknown keys, broken lines, disagreements and what is missing."""
    (tmp_path / "vhdlift.toml").write_text('vm_nam = "x"\nos_disk_gb = 10\n')
    (tmp_path / ".env").write_text("VHDLIFT_IMAGE=ubuntu\nwhat is this\n")
    told = problems(
        {"vm_name": "12345", "source_vm": SOURCE_ID, "source_resource_group": "other", "zone": "x"},
        {"VHDLIFT_ADMIN_PASSWORD": "short", "VHDLIFT_EMAIL": "\x1b[31m@x", "SMTP_PORT": "x"},
        tmp_path,
        for_run=True,
    )
    assert told == ALL_AT_ONCE


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    """A message stays readable whatever was pasted."""
    (told,) = problems({"vm_name": "x" * 500}, {}, tmp_path)
    assert len(told) < 300


@pytest.mark.parametrize(
    ("file", "content"),
    [("vhdlift.toml", b"vm_name = "), ("vhdlift.toml", b"\xff"), (".env", b"\xff\xfe=1")],
)
def test_a_broken_file_is_a_problem(file: str, content: bytes, tmp_path: Path) -> None:
    """A file that cannot be read is told by its name, not by a traceback."""
    (tmp_path / file).write_bytes(content)
    (told,) = problems({}, {}, tmp_path)
    assert told.startswith(f"{file}: ")


def test_a_value_of_the_wrong_kind_is_a_problem(tmp_path: Path) -> None:
    """A file can hold numbers and tables where text is meant."""
    (tmp_path / "vhdlift.toml").write_text("vm_name = 7\nport = 80\ntag = 5\n[email]\na = 1\n")
    told = problems({}, {}, tmp_path)
    assert [problem.split()[0] for problem in told] == ["--vm-name", "--port", "--email", "--tag"]


def test_dotenv_is_taken_literally(tmp_path: Path) -> None:
    """A password may hold what a shell would replace."""
    (tmp_path / ".env").write_text("VHDLIFT_ADMIN_PASSWORD='Aa1-${HOME}-$x-y'\n")
    found = load_settings({}, {"HOME": "/root"}, tmp_path).admin_password
    assert found is not None
    assert found.get_secret_value() == "Aa1-${HOME}-$x-y"


OTHER = SUBSCRIPTION[:-1] + "2"
DISAGREE: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"vm_name": "old", "resource_group": "OLD-rg", "source_vm": SOURCE_ID}, {}, "--vm-name"),
    ({"vm_name": "Ann", "admin_username": "ann"}, {}, "--admin-username"),
    ({"domain": ".".join(["a" * 49] * 5), "vm_name": "lab1"}, {}, "--subdomain"),
    ({"cloud": "custom"}, {}, "--arm-endpoint"),
    ({"cloud": "china", "arm_endpoint": "https://arm.example"}, {}, "--arm-endpoint"),
    ({}, {"VHDLIFT_AZCOPY_URL": "https://a.example/z.zip"}, "VHDLIFT_AZCOPY_URL and VHDLIFT_AZCOPY_SHA256"),
    ({}, {"VHDLIFT_MOONLIGHT_SHA256": "0" * 64}, "VHDLIFT_MOONLIGHT_URL and VHDLIFT_MOONLIGHT_SHA256"),
    ({}, {"SMTP_USERNAME": "ann"}, "SMTP_USERNAME and SMTP_PASSWORD"),
    ({}, {"AZURE_CLIENT_SECRET": "s3cr3t~value"}, "AZURE_CLIENT_SECRET must be given with AZURE_TENANT_ID"),
    (
        {"source_vm": SOURCE_ID},
        {"AZURE_SUBSCRIPTION_ID": OTHER},
        f"AZURE_SUBSCRIPTION_ID must be '{SUBSCRIPTION}'",
    ),
]


@pytest.mark.parametrize(("options", "env", "told"), DISAGREE)
def test_settings_that_do_not_agree(
    options: dict[str, Any], env: dict[str, str], told: str, tmp_path: Path
) -> None:
    """Each value is fine by itself; together they could not work."""
    (problem,) = problems(options, env, tmp_path)
    assert problem.startswith(told)


def test_a_mail_needs_a_server(tmp_path: Path) -> None:
    """With an e-mail address, a run needs to know the server and the sender; other commands do not."""
    options = {**ENOUGH, "email": ["a@b.de"]}
    told = problems(options, {"SMTP_HOST": "mail.example"}, tmp_path, for_run=True)
    assert [problem.split()[0] for problem in told] == ["SMTP_FROM"]
    assert load_settings(options, {}, tmp_path).email == ("a@b.de",)


def test_a_bad_value_is_not_told_twice(tmp_path: Path) -> None:
    """A sender that is wrong is not missing as well, and no default is made of a bad name."""
    options = {**ENOUGH, "email": "a@b.de", "vm_name": "12345"}
    told = problems(options, {"SMTP_HOST": "m.example", "SMTP_FROM": "x"}, tmp_path, for_run=True)
    assert [problem.split()[0] for problem in told] == ["--vm-name", "SMTP_FROM"]


def test_a_resource_id_says_three_settings(tmp_path: Path) -> None:
    """Name, resource group and subscription of the source VM are read from it."""
    found = load_settings({"source_vm": SOURCE_ID}, {}, tmp_path)
    assert (
        found.source_vm,
        found.source_resource_group,
        found.subscription_id,
    ) == ("old", "Old-rg", SUBSCRIPTION)


def test_defaults_that_follow_from_others(tmp_path: Path) -> None:
    """Group and subdomain follow the VM's name, the licence the image, cloud and port what stands beside."""
    image = "MicrosoftWindowsDesktop:windows-11:win11-25h2-pro:latest"
    found = load_settings(
        {"vm_name": "Lab1", "image": image, "arm_endpoint": "https://arm.example"},
        {"SMTP_TLS": "tls"},
        tmp_path,
    )
    assert (
        found.resource_group,
        found.subdomain,
        found.license_type,
        found.cloud,
        found.smtp_port,
    ) == ("Lab1-rg", "lab1", "Windows_Client", "custom", 465)


def test_a_spec_is_complete_or_says_what_is_missing(tmp_path: Path) -> None:
    """The location may come later, from the source VM; nothing else may."""
    settings = load_settings({**ENOUGH, "location": None, "license_type": "None", "tag": "a=b"}, {}, tmp_path)
    spec = settings.spec(location="ukwest")
    assert (
        spec.location,
        spec.source_vm,
        spec.ports,
        spec.tags,
        spec.license_type,
    ) == ("ukwest", "old", (80, 443), {"a": "b"}, None)
    with pytest.raises(UsageError) as caught:
        Settings(vm_name="lab1").spec()
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "--source-vm",
        "--source-resource-group",
        "AZURE_SUBSCRIPTION_ID",
        "--domain",
        "--location",
    ]


SECRETS = {
    "VHDLIFT_ADMIN_PASSWORD": "Admin-Pass-1234",
    "VHDLIFT_WEBHOOK_URL": "https://hooks.example/x?code=the-hook-code",
    "VHDLIFT_WEBHOOK_SECRET": "whsec_" + "QUFB" * 8,
    "VHDLIFT_DATABASE_URL": "postgresql://me:the-db-pass@db.example/runs",
    "AZURE_TENANT_ID": SUBSCRIPTION,
    "AZURE_CLIENT_ID": SUBSCRIPTION,
    "AZURE_CLIENT_SECRET": "the-client-secret",
    "SMTP_USERNAME": "ann",
    "SMTP_PASSWORD": "the-smtp-pass",
}


def test_secrets_are_known_to_the_redactor_and_shown_nowhere(tmp_path: Path) -> None:
    """Neither the settings' own text nor any message that passes the redactor has one of them."""
    settings = load_settings({}, SECRETS, tmp_path)
    assert {
        "Admin-Pass-1234",
        "https://hooks.example/x?code=the-hook-code",
        "code=the-hook-code",
        "whsec_" + "QUFB" * 8,
        "QUFB" * 8,
        "the-db-pass",
        "the-client-secret",
        "the-smtp-pass",
    } == set(settings.secrets())
    for secret in settings.secrets():
        assert secret not in repr(settings)
        assert secret not in redaction.redact(f"it is {secret}.")


def test_a_child_process_gets_the_same_settings(tmp_path: Path) -> None:
    """Options of the parent reach it by its environment, values with commas too."""
    options = {**ENOUGH, "tag": ["a=b,c"], "email": ["a@b.de", "c@d.de"]}
    parent = load_settings(options, {**SECRETS, "SMTP_HOST": "m.example", "SMTP_FROM": "a@b.de"}, tmp_path)
    assert load_settings({}, child_environment(parent), tmp_path) == parent


def test_the_model_and_the_list_of_settings_are_one() -> None:
    """Same names, same defaults; secrets have no option."""
    assert [info.name for info in SETTINGS] == list(Settings.model_fields)
    assert len({info.env for info in SETTINGS}) == len(SETTINGS)
    made = Settings()
    for info in SETTINGS:
        if info.default is not None:
            assert getattr(made, info.name) == info.default
        assert not (info.secret and info.option)
    assert BY_NAME["resolvers"].option == "--resolver"


def test_a_directory_that_is_gone_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever stands in a deleted directory is told so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="The current directory cannot be used"):
        load_settings({}, {})


def test_waits_are_scaled() -> None:
    """One knob for every wait."""
    assert Settings(time_scale=0.5).scaled(10) == 5


def test_settings_cannot_be_changed() -> None:
    """What was checked stays as it was."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().vm_name = "other"
