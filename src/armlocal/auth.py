"""Signing in: the token endpoint of client credentials, and the check of tokens at ARM.

Shapes: section 4.4 of RFC 6749 and the recorded answers of the Microsoft identity platform; the wording of
its errors is the documented one (AADSTS7000215 and its neighbours).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.routing import Route

from armlocal.errors import ArmError

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from armlocal.state import World

BAD_CREDENTIAL = (
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
    "not the client secret ID, for a secret added to app '{client}'."
)
_ALWAYS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "P3P": 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
    "x-ms-ests-server": "2.1.11654.16 - WUS2 ProdSlices",
}
LOGIN_HEADERS = {
    "Cache-Control": "no-store, no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "x-ms-clitelem": "1,0,0,,",
    **_ALWAYS,
}
PUBLIC_HEADERS = {
    "Cache-Control": "max-age=86400, private",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    **_ALWAYS,
}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Tokens:
    """Gives out bearer tokens, and knows its own again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = secrets.token_bytes(32)

    def issue(self) -> str:
        """A token that looks like the real one, a JWT, and holds for `World.token_seconds`."""
        now = self._world.clock.now().timestamp()
        claims = {
            "aud": self._world.base_url,
            "iss": f"{self._world.base_url}/{self._world.tenant_id}/",
            "iat": now,
            "exp": now + self._world.token_seconds,
            "appid": self._world.client_id,
            "idtyp": "app",
            "oid": self._world.object_id,
            "tid": self._world.tenant_id,
            "ver": "1.0",
        }
        head = _encode(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        return self._signed(f"{head}.{_encode(json.dumps(claims).encode())}")

    def check(self, authorization: str | None) -> None:
        """Looks at an Authorization header.

        Raises:
            ArmError: 401, with the challenge in `WWW-Authenticate`.
        """
        if not authorization:
            raise self._refusal(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        scheme, _, token = authorization.partition(" ")
        body = token.rpartition(".")[0]
        if scheme.lower() != "bearer" or not hmac.compare_digest(self._signed(body).encode(), token.encode()):
            raise self._refusal("InvalidAuthenticationToken", "The access token is invalid.")
        claims = json.loads(base64.urlsafe_b64decode(body.split(".")[1] + "=="))
        now = self._world.clock.now()
        expiry = claims["exp"]
        if claims["iat"] <= self._world.tokens_dead_since:
            expiry = min(expiry, self._world.tokens_dead_since)
        if expiry <= now.timestamp():
            raise self._refusal("ExpiredAuthenticationToken", _expired(now, expiry))

    def _signed(self, body: str) -> str:
        return f"{body}.{_encode(hmac.digest(self._key, body.encode(), 'sha256'))}"

    def _refusal(self, code: str, message: str) -> ArmError:
        where = f"{self._world.base_url}/{self._world.tenant_id}"
        challenge = (
            f'Bearer authorization_uri="{where}", error="invalid_token", error_description="{message}"'
        )
        return ArmError(401, code, message, gateway=True, headers={"WWW-Authenticate": challenge})


def _expired(now: datetime, expiry: float) -> str:
    then = now.fromtimestamp(expiry, tz=now.tzinfo)
    form = "%m/%d/%Y %I:%M:%S %p"
    return (
        f"The access token expiry UTC time '{then.strftime(form)}' is earlier than current UTC time "
        f"'{now.strftime(form)}'."
    )


def _login_error(world: World, status: int, error: str, number: int, text: str) -> Response:
    now = world.clock.now()
    trace, correlation = world.new_guid(), world.new_guid()
    stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
    description = f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": error,
        "error_description": description,
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{world.base_url}/error?code={number}",
    }
    return JSONResponse(body, status, LOGIN_HEADERS)


def login_routes(world: World, tokens: Tokens) -> list[Route]:
    """The routes of the identity platform."""

    async def token(request: Request) -> Response:
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode(), keep_blank_values=True).items()}
        refusal = _refuse_login(world, request.path_params["tenant"], form)
        if refusal is not None:
            return refusal
        seconds = int(world.token_seconds)
        body = {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": tokens.issue(),
        }
        return JSONResponse(body, 200, {**LOGIN_HEADERS, "x-ms-request-id": world.new_guid()})

    async def configuration(request: Request) -> Response:
        told = _configuration(world, request.path_params["tenant"])
        return JSONResponse(told, 200, {"Cache-Control": PUBLIC_HEADERS["Cache-Control"]})

    async def discovery(_: Request) -> Response:
        return JSONResponse(_discovery(world), 200, PUBLIC_HEADERS | {"x-ms-request-id": world.new_guid()})

    async def metadata(_: Request) -> Response:
        return JSONResponse(_metadata(world))

    return [
        Route("/metadata/endpoints", metadata),
        Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", configuration),
        Route("/common/discovery/instance", discovery),
    ]


def _refuse_login(world: World, tenant: str, form: dict[str, str]) -> Response | None:
    client = form.get("client_id", "")
    if tenant.lower() != world.tenant_id:
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return _login_error(world, 400, "invalid_request", 90002, text)
    if form.get("grant_type") != "client_credentials":
        text = f"The app requested an unsupported grant type '{form.get('grant_type', '')}'."
        return _login_error(world, 400, "unsupported_grant_type", 70003, text)
    if client.lower() != world.client_id:
        text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
        return _login_error(world, 400, "unauthorized_client", 700016, text)
    if not hmac.compare_digest(form.get("client_secret", "").encode(), world.client_secret.encode()):
        return _login_error(world, 401, "invalid_client", 7000215, BAD_CREDENTIAL.format(client=client))
    return None


def _configuration(world: World, tenant: str) -> dict[str, Any]:
    root = f"{world.base_url}/{tenant}"
    return {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{root}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "request_uri_parameter_supported": False,
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "tid", "ver"],
        "userinfo_endpoint": f"{world.base_url}/oidc/userinfo",
        "cloud_graph_host_name": world.base_url.removeprefix("https://"),
        "msgraph_host": world.base_url.removeprefix("https://"),
        "rbac_url": world.base_url,
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{root}/v2.0",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
        "tenant_region_scope": "EU",
        "cloud_instance_name": world.base_url.removeprefix("https://"),
    }


def _metadata(world: World) -> dict[str, Any]:
    """What ARM tells before anyone signs in: where, and for whom tokens are. One cloud since 2022-09-01."""
    return {
        "name": "armlocal",
        "portal": world.base_url,
        "authentication": {
            "loginEndpoint": world.base_url,
            "audiences": [world.base_url],
            "tenant": world.tenant_id,
            "identityProvider": "AAD",
        },
        "resourceManager": world.base_url,
        "gallery": world.base_url,
        "graphAudience": world.base_url,
        "suffixes": {"storage": "storage.invalid"},
    }


def _discovery(world: World) -> dict[str, Any]:
    host = world.base_url.removeprefix("https://")
    tenant = f"{world.base_url}/{world.tenant_id}"
    return {
        "tenant_discovery_endpoint": f"{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
