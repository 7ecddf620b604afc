"""A small ARM that keeps what it is given: enough for one step at a time, over real HTTPS."""

from __future__ import annotations

import re
import uuid
from typing import Any

from aiohttp import web

from tests.azure.conftest import SUBSCRIPTION, Arm, Seen, arm_error

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lab1-rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
SERVERS = [
    "ns1-08.azure-dns.com.",
    "ns2-08.azure-dns.net.",
    "ns3-08.azure-dns.org.",
    "ns4-08.azure-dns.info.",
]


class Shelf(Arm):
    """Resources by their id; a rule given with `on` comes before what is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, dict[str, Any]] = {}
        self.disks_take_tags = True
        self.blobs = "https://127.0.0.1:1"

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a resource as ARM would after its creation."""
        names = path.split("/")
        kept = {"id": path, "name": names[-1], "type": names[-2], "etag": str(uuid.uuid4()), **body}
        kept["properties"] = {"provisioningState": "Succeeded", **body.get("properties", {})}
        self.kept[path.lower()] = kept
        if names[-2].lower() == "publicipaddresses":
            kept["properties"].setdefault("ipAddress", "52.246.249.159")
        if names[-2].lower() == "dnszones":
            kept["properties"].update(zoneType="Public", nameServers=SERVERS)
            for name, kind in (("@", "NS"), ("@", "SOA")):
                self.put(f"{path}/{kind}/{name}", {"properties": {"TTL": 3600}})
        if names[-2].lower() == "storageaccounts":
            kept["properties"]["primaryEndpoints"] = {"blob": f"{self.blobs}/{names[-1]}/"}
        if names[-2].lower() == "virtualmachines":
            self._put_disk(kept)
        if names[-2].lower() == "securityrules":
            self._add_rule(path, kept)
        return kept

    def at(self, path: str) -> dict[str, Any] | None:
        """What is kept there."""
        return self.kept.get(path.lower())

    def ids(self) -> list[str]:
        """All that is kept, but for the own records of zones."""
        return sorted(k["id"] for k in self.kept.values() if not re.search(r"/(NS|SOA)/@$", k["id"]))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ruled = f"{request.method} {request.path}".lower() in self._answers
        if "/oauth2/" in request.path or ruled or self.other is not None:
            return await super().handle(request)
        body = await request.json() if request.can_read_body else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.raw_path, 0.0, body, headers))
        return self._answer(request.method, request.path, body, headers)

    def _answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> web.Response:
        there = self.at(path)
        wanted = headers.get("if-match")
        if (wanted and (there is None or there["etag"] != wanted)) or (
            headers.get("if-none-match") and there
        ):
            return web.json_response({"code": "PreconditionFailed", "message": "etag mismatch"}, status=412)
        if method == "DELETE":
            return self._delete(path, there)
        if method == "PUT":
            # Snapshots and storage accounts are never answered with 201.
            known = there or re.search(r"/(snapshots|storageaccounts)/[^/]+$", path.lower())
            return web.json_response(self.put(path, body), status=200 if known else 201)
        if method == "PATCH" and there:
            there["tags"] = body["tags"]
        return self._read(method, path, there)

    def _read(self, method: str, path: str, there: Any) -> web.Response:
        if method == "HEAD":
            return web.Response(status=204 if there else 404)
        found = there or self._list(path)
        if found is None:
            return web.json_response(arm_error("ResourceNotFound", f"{path} was not found."), status=404)
        return web.json_response(found)

    def _delete(self, path: str, there: Any) -> web.Response:
        for key in [k for k in self.kept if k == path.lower() or k.startswith(path.lower() + "/")]:
            del self.kept[key]
        if "/securityrules/" in path.lower():
            group = self.kept[path.lower().partition("/securityrules/")[0]]["properties"]
            group["securityRules"] = [
                r for r in group["securityRules"] if r["name"] != path.rsplit("/", maxsplit=1)[-1]
            ]
        return web.Response(status=200 if there else 204)

    def _list(self, path: str) -> dict[str, Any] | None:
        kind = path.rpartition("/")[2].lower()
        if kind == "recordsets":
            zone = path.rpartition("/")[0].lower() + "/"
            return {"value": [k for key, k in self.kept.items() if key.startswith(zone)]}
        if kind in {"resources", "resourcegroups"} and "/providers/" not in path.lower():
            wanted = [k for k in self.kept.values() if k.get("tags")]
            groups = [k for k in wanted if "/providers/" not in k["id"]]
            return {"value": groups if kind == "resourcegroups" else [k for k in wanted if k not in groups]}
        if kind == "dnszones":
            return {"value": [k for k in self.kept.values() if k["type"].lower() == kind]}
        return None

    def _put_disk(self, vm: dict[str, Any]) -> None:
        name = vm["properties"]["storageProfile"]["osDisk"]["name"]
        tags = vm.get("tags", {}) if self.disks_take_tags else {}
        self.put(f"{COMPUTE}/disks/{name}", {"tags": tags, "managedBy": vm["id"]})

    def _add_rule(self, path: str, rule: dict[str, Any]) -> None:
        group = self.kept[path.lower().partition("/securityrules/")[0]]["properties"]
        others = [r for r in group.get("securityRules", []) if r["name"] != rule["name"]]
        group["securityRules"] = [*others, rule]
