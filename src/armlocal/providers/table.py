"""Every provider's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.providers import (
    compute,
    deployments,
    dns,
    images,
    locks,
    network,
    permissions,
    policies,
    registrations,
    resources,
    schedules,
    skus,
    storage,
)

if TYPE_CHECKING:
    from armlocal.providers.base import Routes

ALL_ROUTES: tuple[Routes, ...] = (
    resources.ROUTES,
    registrations.ROUTES,
    permissions.ROUTES,
    policies.ROUTES,
    deployments.ROUTES,
    locks.ROUTES,
    compute.ROUTES,
    skus.ROUTES,
    images.ROUTES,
    network.ROUTES,
    dns.ROUTES,
    storage.ROUTES,
    schedules.ROUTES,
)
