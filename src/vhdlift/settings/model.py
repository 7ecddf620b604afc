"""The settings as one frozen model: types, rules and defaults of each, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vhdlift.errors import UsageError
from vhdlift.model import NEVER, Spec
from vhdlift.options import BY_NAME
from vhdlift.settings import derive, guest_rules, net_rules, rules, values


def _secret(rule: Callable[[str], str]) -> AfterValidator:
    """A rule for the value inside a secret."""
    return AfterValidator(lambda value: SecretStr(rule(value.get_secret_value())))


def _default(name: str) -> Any:
    return Field(default=BY_NAME[name].default)


_Many = BeforeValidator(values.split)
_Group = Annotated[str, AfterValidator(rules.resource_group)]
_Guid = Annotated[str, AfterValidator(rules.guid)]
_Url = Annotated[str, AfterValidator(net_rules.url)]
_Sha256 = Annotated[str, AfterValidator(rules.sha256)]
_Endpoint = Annotated[str, AfterValidator(net_rules.endpoint)]
_Port = Annotated[int, Field(ge=1, le=65535)]
_Path = Annotated[Path, AfterValidator(values.absolute)]


class Settings(BaseSettings):
    """Everything that a run is told from outside. `load_settings` makes one from all the places.

    Field names are those of `vhdlift.options.SETTINGS`, where each is explained. The constructor itself
    reads nothing but its arguments.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source_vm: Annotated[str, AfterValidator(rules.source_vm)] | None = None
    source_resource_group: _Group | None = None
    vm_name: Annotated[str, AfterValidator(rules.computer_name)] | None = None
    resource_group: _Group | None = None
    location: Annotated[str, AfterValidator(rules.location)] | None = None
    vm_size: Annotated[str, AfterValidator(rules.vm_size)] = _default("vm_size")
    image: Annotated[str, AfterValidator(rules.image)] = _default("image")
    os_disk_gb: Annotated[int, Field(ge=30, le=4095)] = _default("os_disk_gb")
    admin_username: Annotated[str, AfterValidator(rules.admin_username)] = _default("admin_username")
    admin_password: Annotated[SecretStr, _secret(rules.admin_password)] | None = None
    domain: Annotated[str, AfterValidator(net_rules.domain)] | None = None
    subdomain: Annotated[str, AfterValidator(net_rules.subdomain)] | None = None
    dns_resource_group: _Group | None = None
    target_size_gib: Annotated[int, Field(ge=1, le=2040)] | None = None
    usb_gb: Annotated[int, Field(ge=4, le=4000)] | None = None
    port: Annotated[tuple[_Port, ...], _Many, AfterValidator(net_rules.no_repeats)] = _default("port")
    service: Annotated[tuple[str, ...], _Many, AfterValidator(guest_rules.services)] = _default("service")
    hyper_v: Literal["auto", "on", "off"] = _default("hyper_v")
    blob_type: Literal["page", "block"] = _default("blob_type")
    allow_from: Annotated[
        tuple[Annotated[str, AfterValidator(net_rules.network)], ...],
        _Many,
        AfterValidator(net_rules.networks),
    ] = _default("allow_from")
    email: Annotated[
        tuple[Annotated[str, AfterValidator(net_rules.email)], ...],
        _Many,
        AfterValidator(net_rules.no_repeats),
    ] = _default("email")
    webhook_url: Annotated[SecretStr, _secret(net_rules.url)] | None = None
    webhook_secret: Annotated[SecretStr, _secret(net_rules.webhook_secret)] | None = None
    webhook_allow_private: bool = False
    tag: Annotated[dict[str, str], BeforeValidator(values.pairs), AfterValidator(rules.tags)] = _default(
        "tag"
    )
    source_stop: Literal["deallocate", "poweroff", "none"] = _default("source_stop")
    on_failure: Literal["cleanup", "keep"] = _default("on_failure")
    license_type: Literal["Windows_Client", "Windows_Server", "None"] | None = None
    verify: Literal["full", "structure"] = _default("verify")
    silence_minutes: Annotated[float, Field(ge=1, le=1440)] = _default("silence_minutes")
    link_days: Annotated[int, Field(ge=1, le=60)] = _default("link_days")
    expires_after_days: Annotated[str, BeforeValidator(values.plain), AfterValidator(rules.expiry)] = "30"
    auto_shutdown: Annotated[str, BeforeValidator(values.plain), AfterValidator(rules.time_of_day)] | None = (
        None
    )
    auto_shutdown_timezone: Annotated[str, AfterValidator(rules.windows_timezone)] = _default(
        "auto_shutdown_timezone"
    )
    cloud: Literal["public", "usgovernment", "china", "custom"] = "public"
    arm_endpoint: _Endpoint | None = None
    ca_bundle: Annotated[Path, AfterValidator(values.certificates)] | None = None
    resolvers: Annotated[tuple[Annotated[str, AfterValidator(net_rules.resolver)], ...], _Many] = _default(
        "resolvers"
    )
    state_dir: _Path = Field(default_factory=lambda: platformdirs.user_state_path("vhdlift"))
    database_url: Annotated[SecretStr, _secret(net_rules.database_url)] | None = None
    time_scale: Annotated[float, Field(gt=0, le=100)] = _default("time_scale")
    azcopy_url: _Url = _default("azcopy_url")
    azcopy_sha256: _Sha256 = _default("azcopy_sha256")
    caddy_url: _Url = _default("caddy_url")
    caddy_sha256: _Sha256 = _default("caddy_sha256")
    dufs_url: _Url = _default("dufs_url")
    dufs_sha256: _Sha256 = _default("dufs_sha256")
    sunshine_url: _Url = _default("sunshine_url")
    sunshine_sha256: _Sha256 = _default("sunshine_sha256")
    moonlight_url: _Url | None = None
    moonlight_sha256: _Sha256 | None = None
    tenant_id: _Guid | None = None
    client_id: _Guid | None = None
    client_secret: SecretStr | None = None
    subscription_id: _Guid | None = None
    authority_host: Annotated[str, AfterValidator(net_rules.authority)] | None = None
    smtp_host: Annotated[str, AfterValidator(net_rules.host)] | None = None
    smtp_port: _Port = 587
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: Annotated[str, AfterValidator(net_rules.sender)] | None = None
    smtp_tls: Literal["auto", "starttls", "tls", "none"] = _default("smtp_tls")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the arguments: the other places are read, with their names, by `load_settings`."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _derived(cls, given: dict[str, Any]) -> dict[str, Any]:
        return derive.fill(given)

    def spec(self, **overrides: Any) -> Spec:
        """What the user asked for, complete.

        Args:
            overrides: fields of `Spec` that are known better now, such as the source VM's `location`.

        Raises:
            UsageError: something that a run needs is not known: all of it is named.
        """
        fields = {**self._spec_fields(), **overrides}
        needed = (*derive.NEEDED, "location")
        missing = [derive.missing(name) for name in needed if not fields[name]]
        if missing:
            raise UsageError(missing)
        return Spec(**fields)

    def _spec_fields(self) -> dict[str, Any]:
        same = (
            "subscription_id source_vm source_resource_group vm_name resource_group location vm_size image "
            "os_disk_gb admin_username domain subdomain dns_resource_group target_size_gib allow_from email "
            "source_stop on_failure verify link_days auto_shutdown auto_shutdown_timezone hyper_v blob_type"
        )
        licence = None if self.license_type == "None" else self.license_type
        return {
            **{name: getattr(self, name) for name in same.split()},
            "own_password": self.admin_password is None,
            "ports": self.port,
            "services": () if self.service == (guest_rules.NONE,) else self.service,
            "tags": self.tag,
            "license_type": licence,
            "expires_after_days": None if self.expires_after_days == NEVER else int(self.expires_after_days),
        }

    def secrets(self) -> list[str]:
        """Every secret value in use, and those parts of URLs that are secret: for the redactor."""
        held = [value for _, value in self if isinstance(value, SecretStr) and value is not self.database_url]
        found = [value.get_secret_value() for value in held]
        if self.webhook_secret:
            found.append(self.webhook_secret.get_secret_value().removeprefix("whsec_"))
        if self.webhook_url:
            found.append(urlsplit(self.webhook_url.get_secret_value()).query)
        if self.database_url:
            found.append(urlsplit(self.database_url.get_secret_value()).password or "")
        return [value for value in found if value]

    def scaled(self, seconds: float) -> float:
        """A wait or a deadline of the real service, in seconds, as long as it is here."""
        return seconds * self.time_scale


def child_environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process the same settings, whatever is in its own environment.

    Lists and tags are JSON, which holds values with commas too. Secrets are in it: never log it.
    """
    given = {name: value for name, value in settings if value is not None}
    return {BY_NAME[name].env: _as_text(value) for name, value in given.items()}


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple | Mapping):
        return json.dumps(value)
    return str(value)
