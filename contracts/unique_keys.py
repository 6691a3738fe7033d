"""YAML whose keys occur once: of two alike PyYAML silently keeps the last, and with it loses a program or a field."""

from __future__ import annotations

from typing import Any

import yaml


class UniqueKeyLoader(yaml.SafeLoader):
    """As `yaml.SafeLoader`, but a key that occurs twice in a mapping is a `yaml.MarkedYAMLError`."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # As written: construction puts merged mappings' keys beside a node's own, where the own one counts.
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                mark = node.value[i][0].start_mark
                raise yaml.MarkedYAMLError(problem=f"the field `{key}` occurs twice", problem_mark=mark)
        return node
