"""What is public; that both faces look and act the same is tested in `faces`."""

from __future__ import annotations

import pytest

import aorm
from aorm import models

AORM = """
    aclose acreate_tables adrop_tables after_position aget_rollback aon_commit apps aset_rollback
    async_to_sync atomic awrite_position capture_queries close configure connections create_tables
    detached drop_tables errors explain_runtime get_rollback isolate_apps models on_commit
    on_primary router set_rollback settings sync_to_async write_position
"""


def test_the_public_names_are_exactly_these():
    assert sorted(aorm.__all__) == AORM.split()


@pytest.mark.parametrize("module", [aorm, models, aorm.errors])
def test_every_public_name_exists(module):
    assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
