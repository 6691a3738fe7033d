"""Rendered ODCS files are valid against the standard's own JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from contracts.compile.odcs import odcs_files

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT.parent / "shared" / "specs" / "odcs" / "odcs-json-schema-v3.1.0.json"


@pytest.fixture(scope="module")
def validator() -> Any:
    if not SCHEMA.exists():
        pytest.skip("the official ODCS schema (../shared/specs/odcs) is not beside this checkout")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return validator_for(schema)(schema)


@pytest.mark.parametrize("relative", sorted(odcs_files()))
def test_file_is_valid(validator: Any, relative: str) -> None:
    text = (ROOT / relative).read_text(encoding="utf-8")
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(document)]
    assert not errors, errors[:5]


def test_schema_refuses_what_is_none(validator: Any) -> None:
    assert not validator.is_valid({"kind": "DataContract"})
