"""What Compute refuses in a virtual machine before it makes one. Sources: `compute_refusals`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armlocal.errors import nic_reserved
from armlocal.providers.base import required
from armlocal.providers.compute_refusals import refusal
from armlocal.providers.images import OS_DISK_GB, find_image
from armlocal.providers.vmsizes import find_size, restriction, sizes, sold_in
from armlocal.state import NIC_RESERVATION

if TYPE_CHECKING:
    from armlocal.providers.base import Call
    from armlocal.providers.images import Image
    from armlocal.providers.vmsizes import Size
    from armlocal.state import Resource

Json = dict[str, Any]
COMPUTER_NAME_LENGTH = 15
USER_NAME_LENGTH = 20
PASSWORD_LENGTH = range(8, 124)
KINDS_OF_CHARACTERS = 3
_NAME = re.compile(r"[A-Za-z0-9-]+")
_RESERVED_USERS = """
    administrator admin user user1 user2 user3 user4 user5 test test1 test2 test3 1 123 a actuser adm admin1
    admin2 aspnet backup console david guest john owner root server sql support support_388945a0 sys
"""
_COMMON_PASSWORDS = """
    abc@123 iloveyou! p@$$w0rd p@ssw0rd p@ssword123 pa$$word pass@word1 password! password1 password22
"""


@dataclass(frozen=True)
class Checked:
    """What the checks found.

    Attributes:
        size: of the machine.
        nics: its interfaces.
        image: what its disk is made from; None when it gets a disk that is there.
        version: the image's exact version.
        disk: the OS disk that is there; None when it is made from an image.
    """

    size: Size
    nics: list[Resource]
    image: Image | None
    version: str
    disk: Resource | None


def check_machine(call: Call) -> Checked:
    """All checks of a machine that does not exist yet, in the order in which Compute makes them.

    Raises:
        ArmError: the first refusal.
    """
    properties = required(call.body, "properties")
    size = check_size(call, properties)
    nics = _check_nics(call, properties)
    os_disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    if str(os_disk.get("createOption", "FromImage")).lower() == "attach":
        return Checked(size, nics, None, "", _check_attached(call, os_disk))
    image, version = _check_image(properties)
    _check_generation(properties, size, image)
    _check_login(required(call.body, "properties", "osProfile"))
    _check_disk(call, os_disk)
    return Checked(size, nics, image, version, None)


def check_size(call: Call, properties: Json) -> Size:
    """The size that the request names.

    Raises:
        ArmError: 400 for one that there is not, 409 SkuNotAvailable for one that may not be used here.
    """
    name = str(required(properties, "hardwareProfile", "vmSize"))
    location = str(call.body.get("location") or "")
    size = find_size(name)
    if size is None or not sold_in(size, location):
        known = ", ".join(s.name for s in sizes().values() if sold_in(s, location))
        raise refusal("size_unknown", size=name, known=known)
    if restriction(size) == "Location":
        place = {"location": location, "subscription": call.id.subscription}
        raise refusal("size_restricted", resource=call.id.text, **place)
    return size


def _check_nics(call: Call, properties: Json) -> list[Resource]:
    references = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
    if not references:
        raise refusal("no_nic")
    return [_check_nic(call, str(reference.get("id", ""))) for reference in references]


def _check_nic(call: Call, nic_id: str) -> Resource:
    nic = call.world.find(nic_id)
    if nic is None:
        raise refusal("nic_missing", nic=nic_id)
    owner = (nic.properties.get("virtualMachine") or {}).get("id", "")
    if owner and owner.lower() != call.id.key:
        raise refusal("nic_taken", nic=nic.id, owner=owner)
    reserved = call.world.reservation(nic)
    if reserved is not None and reserved.lower() != call.id.key:
        raise nic_reserved(reserved, NIC_RESERVATION)
    if nic.state in ("Updating", "Deleting"):
        raise refusal("nic_not_ready", nic=nic.id, resource=call.id.text, state=nic.state)
    return nic


def _check_image(properties: Json) -> tuple[Image, str]:
    reference = required(properties, "storageProfile", "imageReference")
    publisher, offer, sku = (str(reference.get(key) or "") for key in ("publisher", "offer", "sku"))
    version = str(reference.get("version") or "latest")
    image = find_image(publisher, offer, sku)
    if image is None or version not in ("latest", *image.versions):
        raise refusal("image_unknown", image=f"{publisher}:{offer}:{sku}:{version}")
    return image, image.versions[-1] if version == "latest" else version


def _check_generation(properties: Json, size: Size, image: Image) -> None:
    trusted = (properties.get("securityProfile") or {}).get("securityType") == "TrustedLaunch"
    if trusted and not image.trusted_launch:
        raise refusal("image_no_trusted_launch")
    if trusted and not size.trusted_launch:
        raise refusal("size_no_trusted_launch", size=size.name)
    if image.generation not in size.generations:
        raise refusal("size_other_generation", size=size.name, generation=image.generation.removeprefix("V"))


def _check_login(profile: Json) -> None:
    name = str(profile.get("computerName") or "")
    if not name or len(name) > COMPUTER_NAME_LENGTH or name.isdigit() or not _NAME.fullmatch(name):
        raise refusal("computer_name")
    user = str(profile.get("adminUsername") or "")
    taken = user.lower() in _RESERVED_USERS.split()
    if not user or taken or len(user) > USER_NAME_LENGTH or user.endswith("."):
        raise refusal("user_name")
    _check_password(str(profile.get("adminPassword") or ""))


def _check_password(password: str) -> None:
    kinds = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum())
    present = sum(any(kind(c) for c in password) for kind in kinds)
    if len(password) not in PASSWORD_LENGTH or not password.isprintable() or present < KINDS_OF_CHARACTERS:
        raise refusal("password")
    if password.lower() in _COMMON_PASSWORDS.split():
        raise refusal("password_common")


def _check_disk(call: Call, os_disk: Json) -> None:
    name, size = os_disk.get("name"), os_disk.get("diskSizeGB")
    if size is not None and int(size) < OS_DISK_GB:
        raise refusal("disk_too_small", size=size, least=OS_DISK_GB)
    if name and call.world.find(disk_id(call, str(name))) is not None:
        raise refusal("disk_name_taken", disk=disk_id(call, str(name)), name=name, group=call.group.upper())


def _check_attached(call: Call, os_disk: Json) -> Resource:
    wanted = str(required({"osDisk": os_disk}, "osDisk", "managedDisk", "id"))
    disk = call.world.find(wanted)
    if disk is None:
        raise refusal("disk_missing", name=wanted)
    owner = str(disk.body.get("managedBy") or "")
    if owner and owner.lower() != call.id.key:
        raise refusal("disk_elsewhere", disk=disk.id, owner=owner)
    return disk


def disk_id(call: Call, name: str) -> str:
    """The id of a disk in the request's group."""
    group = f"/subscriptions/{call.id.subscription}/resourceGroups/{call.group}"
    return f"{group}/providers/Microsoft.Compute/disks/{name}"
