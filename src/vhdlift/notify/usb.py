"""What the mail says about bringing the VHD onto a USB stick: three ways, and what is known to fail.

Sources: Microsoft's pages on native boot, Ventoy's page on its vhdboot plugin and the reports of its users.
None of it was tried with the disk at hand, and the mail says so.
"""

from __future__ import annotations

from typing import NamedTuple

from fixedvhd import FOOTER_SIZE, GB, stick_for


class Way(NamedTuple):
    """One way onto a stick: its name, what to do, and a command or nothing."""

    name: str
    text: str
    command: str = ""


class Usb(NamedTuple):
    """The whole section: which stick, the ways to use it, and what fails, as sentences."""

    stick: str
    ways: tuple[Way, ...]
    fails: tuple[str, ...]


UNTRIED = (
    "The bytes of this disk were checked; that a certain PC starts from a certain stick cannot be known "
    "before it is tried."
)
_NO_NTFS = (
    "A VHD on FAT32 or exFAT: INACCESSIBLE_BOOT_DEVICE. The stick must be NTFS, and neither compressed nor "
    "encrypted."
)
_USB_3 = (
    "Windows 11 as a VHD on USB 3: people report VHD_BOOT_INITIALIZATION_FAILED with 23H2, and failures with "
    "25H2. A USB 2 port helped some of them. A disk that was written raw starts no VHD and cannot meet this "
    "error."
)
_BITLOCKER = "BitLocker on the stick or inside the VHD, and hibernation: neither works when a VHD is started."
_TPM = "Signing in with a PIN or a key of Windows Hello: it stayed in the TPM of the VM. Use the password."


def usb_of(artefact: str, size: int, scheme: str) -> Usb:
    """What to say about one artefact.

    Args:
        artefact: the file's name.
        size: of the file, in bytes.
        scheme: `gpt` or `mbr`, its partition table.
    """
    gb = stick_for(size - FOOTER_SIZE)
    told = f"a stick sold as {gb} GB or more" if gb else "a USB disk that large"
    ways = (_raw(artefact, scheme), _ventoy(scheme), _native(scheme))
    return Usb(f"{size / GB:.1f} GB, so {told}", ways, (_NO_NTFS, _USB_3, _BITLOCKER, _TPM))


def _raw(artefact: str, scheme: str) -> Way:
    larger = " On a larger stick, sgdisk -e /dev/sdX then moves the spare partition table to its end."
    text = (
        "This erases the stick: write the whole disk over it, without the VHD's last 512 bytes. It then "
        f"starts like any USB disk.{larger if scheme == 'gpt' else ''} On Linux, with the stick's own name "
        "for sdX:"
    )
    return Way("Raw", text, f'qemu-img convert -n -f vpc -O raw "{artefact}" /dev/sdX')


def _ventoy(scheme: str) -> Way:
    starts = "a PC with 64-bit UEFI" if scheme == "gpt" else "a PC that starts in legacy BIOS mode"
    text = (
        "Make a Ventoy stick whose data partition is NTFS, copy the VHD onto it, and put ventoy_vhdboot.img "
        f"of Ventoy's vhdiso releases into its folder \\ventoy. This disk needs {starts}. Secure Boot often "
        "has to be off."
    )
    return Way("Ventoy", text)


def _native(scheme: str) -> Way:
    starter, firmware = ("EFI system", "UEFI") if scheme == "gpt" else ("active", "BIOS")
    text = (
        f"Copy the VHD onto an NTFS stick that has an {starter} partition too, attach it in Disk Management, "
        f"and add it to the boot menu; W is the letter of its Windows, S that of the stick's {starter} "
        "partition. Since Windows 10 Microsoft supports this for VHDX only; the boot manager still starts "
        "VHDs."
    )
    return Way("Native boot", text, f"bcdboot W:\\Windows /s S: /f {firmware}")
