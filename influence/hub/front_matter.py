"""The part of a card that programs read, in YAML: which files are which split, what columns hold, what the task is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from influence.errors import DataError

DEFAULT = "default"
STALE = ("splits", "download_size", "dataset_size", "features")  # counts and columns of the data as it was


def in_front(text: str) -> str:
    """The YAML of an existing card. Raises `DataError` for what is none."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"the repository's README.md begins with what is no YAML ({error}); mend it there first") from error
    if not isinstance(found, dict | None):
        raise DataError("the repository's README.md begins with YAML that is no list of names with values; mend it there first")
    return text if text.endswith("\n") or not text else f"{text}\n"


@dataclass(frozen=True)
class FrontMatter:
    """What a push has to say there."""

    data_files: Mapping[str, str]  # path by split
    reader: Mapping[str, str] = field(default_factory=dict)  # what the reader of the files has to be told
    features: list[Any] | None = None  # the columns, as the Hub writes them; None: to be found by whoever reads the files

    def merged(self, existing: str) -> str:
        """An existing front matter (YAML) with this in it, all other keys as they were; "" for none.

        The lines of a key that does not change keep their very bytes, comments too, wherever the YAML is plain enough.
        """
        before: dict[str, Any] = yaml.safe_load(existing) or {}
        after = self._values(before)
        text = existing
        for key in after:
            if key not in before or before[key] != after[key]:
                text = _with_key(text, key, after[key])
        for key in before.keys() - after.keys():
            text = _lines_of(key).sub("", text)
        try:
            plain = yaml.safe_load(text) == after
        except yaml.YAMLError:
            plain = False
        return text if plain else _dumped(after)

    def _values(self, before: Mapping[str, Any]) -> dict[str, Any]:
        name = _config_name(before)
        after = {"task_categories": ["text-classification"], **before, "configs": self._configs(before.get("configs"), name)}
        info = self._info(before.get("dataset_info"), name)
        if info:
            return {**after, "dataset_info": info}
        return {key: value for key, value in after.items() if key != "dataset_info"}

    def _configs(self, before: Any, name: str) -> list[Any]:
        configs = [*before] if isinstance(before, list) else []
        place = next((at for at, one in enumerate(configs) if isinstance(one, dict) and one.get("config_name") == name), None)
        own: dict[str, Any] = {"config_name": name} if place is None else configs[place]
        files = own.get("data_files")
        kept = [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []
        ours = [{"split": split, "path": path} for split, path in self.data_files.items()]
        others = [one for one in kept if one.get("split") not in self.data_files]
        own = {**own, "data_files": [*ours, *others], **self.reader}
        return [*configs, own] if place is None else [*configs[:place], own, *configs[place + 1 :]]

    def _info(self, before: Any, name: str) -> Any:
        infos = [one for one in (before if isinstance(before, list) else [before]) if isinstance(one, dict)]
        own: dict[str, Any] = next((one for one in infos if one.get("config_name", DEFAULT) == name), {})
        ours = {key: value for key, value in own.items() if key not in STALE}
        ours |= {} if self.features is None else {"features": self.features}
        if name != DEFAULT and ours:
            ours = {"config_name": name, **ours}
        others = [one for one in infos if one is not own]
        if not others:
            return ours if ours.keys() - {"config_name"} else None
        return [*others, {"config_name": name, **ours}] if ours.keys() - {"config_name"} else others


def _config_name(before: Mapping[str, Any]) -> str:
    """The configuration that is loaded when none is named: so called, marked so, or the only one."""
    listed = before.get("configs")
    configs = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = [str(one.get("config_name", DEFAULT)) for one in configs]
    marked = [name for name, one in zip(names, configs, strict=True) if one.get("default")]
    return DEFAULT if DEFAULT in names else (marked or (names if len(names) == 1 else []) or [DEFAULT])[0]


def _lines_of(key: str) -> re.Pattern[str]:
    """The lines of a key at the margin: its own and the deeper ones after it."""
    return re.compile(rf"^{re.escape(key)}:[^\n]*\n(?:(?:[ \t-][^\n]*)?\n)*", re.MULTILINE)


def _with_key(text: str, key: str, value: Any) -> str:
    lines = _dumped({key: value})
    found = _lines_of(key)
    return found.sub(lambda _: lines, text, count=1) if found.search(text) else text + lines


def _dumped(values: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=120))
