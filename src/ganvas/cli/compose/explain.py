"""What Hydra's and OmegaConf's exceptions mean for the user: one OptionError with the key as written."""

from __future__ import annotations

import errno
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganvas.cli.compose.hydra_internals import compose_config, config_folders, parse_overrides
from ganvas.cli.compose.nearest import in_the_fields_words, near
from ganvas.cli.compose.unread import check_laid_aside, options_with, value_at
from ganvas.errors import OptionError
from ganvas.run.folder.redact import redacted_override

# What Hydra says of a defaults list that is none.
_NO_DEFAULTS = (" in defaults : ", " in default item ", "Invalid defaults list")


@contextmanager
def composition_errors(hydra: Any, overrides: Sequence[str]) -> Iterator[None]:
    """Turns Hydra's errors inside into one OptionError that names the override and the nearest valid one."""
    try:
        yield
    except OptionError:  # a ValueError too, and said already
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        path, line = (Path(mark.name), mark.line + 1) if mark else (Path(), 0)
        reason = f"{path} is no YAML ({error.problem} in line {line}); mend the file"
        raise OptionError(*_chosen_by(path, hydra), reason) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        path = next((path for path in _yaml_files(hydra) if not _is_text(path)), Path())
        raise OptionError(*_chosen_by(path, hydra), f"{path} is no text (UTF-8); mend the file") from error
    except RecursionError as error:
        group = next((o for o in overrides if _is_endless(hydra, o)), "config=")
        reason = "its defaults list names itself, directly or through others; break the circle"
        raise OptionError(key_of(group), group.partition("=")[2], reason) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, hydra, overrides) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        longest = max(overrides, key=len, default="config=")
        reason = "no file has so long a name; ganvas options lists what there is"
        raise OptionError(key_of(longest), longest.partition("=")[2][:100], reason) from error
    except (ValueError, TypeError) as error:  # Hydra's own for model=null, model=5 and model=[1]
        if any(words in str(error) for words in _NO_DEFAULTS):
            path = next((path for path in _yaml_files(hydra) if not _has_defaults(path)), Path())
            reason = f"the defaults list of {path} is none ({first_line(error)}); write - group: option"
            raise OptionError(*_chosen_by(path, hydra), reason) from error
        odd = any(_is_group(hydra, key) and _no_word(v) for key, v in values_written(overrides).items())
        if not odd and "Config group override" not in str(error):
            raise
        raise explain(error, hydra, overrides) from error


def _yaml_files(hydra: Any) -> Iterator[Path]:
    for folder in config_folders(hydra):
        yield from sorted(folder.rglob("*.yaml"))


def _is_text(path: Path) -> bool:
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return all(byte >= 32 or byte in b"\t\n\r" for byte in content)


def _has_defaults(path: Path) -> bool:
    """Whether the file's defaults list, where it has one, is one of options by name."""
    tree = yaml.safe_load(path.read_bytes())
    listed = tree.get("defaults", []) if isinstance(tree, dict) else []
    if not isinstance(listed, list):
        return False
    if any(isinstance(one, dict) and len(one) != 1 for one in listed):
        return False
    values = [value for one in listed for value in (one.values() if isinstance(one, dict) else [one])]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return all(text is None or isinstance(text, str) for text in texts)


def _chosen_by(path: Path, hydra: Any) -> tuple[str, str]:
    """Group and option that a file of the user's is: conf/data/x.yaml is data=x."""
    for folder in config_folders(hydra):
        if path.is_relative_to(folder):
            name = path.relative_to(folder).with_suffix("")
            group = name.parent.as_posix()
            return ("--config-name" if group == "." else group), name.name
    return "--config-dir", str(path)


def explain(error: Exception, hydra: Any, overrides: Sequence[str]) -> OptionError:
    """What Hydra's exception means for the user."""
    unreadable = _unreadable(overrides)
    if unreadable is not None:
        return unreadable
    text = str(error)
    written = values_written(overrides)
    primary = re.search(r"Cannot find primary config '([^']+)'", text)
    if primary:
        return OptionError(
            "--config-name",
            primary.group(1),
            "there is no such config; give the --config-dir that it lies in, or leave the flag out",
        )
    missing = re.search(r"Could not (?:find|load) '([^']+)'", text) or re.search(
        r"find config file '?([^'\n]+)", text
    )
    group, option = missing.group(1).rpartition("/")[::2] if missing else ("", "")
    if "Config group override must be" in text or isinstance(error, TypeError):
        group = next((key for key, value in written.items() if _is_group(hydra, key) and _no_word(value)), "")
        option = written.get(group, "")
    if group:
        there = sorted(hydra.config_loader.get_group_options(group))
        meant = in_the_fields_words(option) or near(option, there)
        return OptionError(group, option, f"there is no such option{meant}")
    unknown = re.search(r"Could not override '([^']+)'", text)
    by_length = sorted(written, key=len, reverse=True)
    key = unknown.group(1) if unknown else next((key for key in by_length if key in text), None)
    if key is None:
        shown = " ".join(map(redacted_override, overrides))
        return OptionError("override", shown, f"cannot be read ({first_line(error)})")
    value = written.get(key, "")
    if "Ambiguous value" in text:
        return OptionError(
            key, value, f"has several values; add -m for a sweep over them, or write the list {key}=[{value}]"
        )
    if "already at" in text:
        return OptionError(key, value, "is there already; write it without the +")
    key = key.partition("@")[0] if "@" in key and key not in written else key
    groups = [o for o in overrides if _is_group(hydra, key_of(o)) and key_of(o) != key]
    for group in map(key_of, groups):
        place = group.partition("@")[2]
        if place and key.startswith(f"{place}."):
            tree: Any = OmegaConf.to_container(_of_choices(hydra, groups))
            check_laid_aside(tree, {group: written[group]})
    known = [name for name in known_keys(hydra, groups) if name != key]
    meant = in_the_fields_words(key) or options_with(key) or near(key, known)
    return OptionError(key, value, f"there is no such key or group{meant}")


def unresolved(error: Exception, overrides: Sequence[str], tree: Any = None) -> OptionError:
    """What an interpolation that cannot be resolved means for the user; ``tree`` is the unresolved config."""
    text = first_line(error)
    key = str(getattr(error, "full_key", None) or "config")
    there = value_at(tree, key)
    written = {key: "" if there is None else str(there)} | values_written(overrides)
    absent = re.search(r"Interpolation key '([^']+)' not found", text)
    removed = [o for o in overrides if o.startswith("~")]
    for override in removed:
        if absent and f"{absent.group(1)}.".startswith(f"{key_of(override)}."):
            return OptionError(override, "", f"{key} takes its value from it; leave it where it is")
    if absent and absent.group(1).startswith("data.") and key.startswith("model."):
        chosen = values_written(overrides).get("data", "...")
        reason = f"has no {absent.group(1)[5:]}, which {key} reads; choose another model, or other data"
        return OptionError("data", chosen, reason)
    if "Recursive" in text:
        return OptionError(
            key, written.get(key, ""), "its interpolations form a cycle; give one of the keys a value"
        )
    if there == "???":
        return OptionError(key, "???", f"has no value yet; give it one, {key}=VALUE")
    return OptionError(key, written.get(key, ""), f"cannot be resolved ({text}); write another value")


def _unreadable(overrides: Sequence[str]) -> OptionError | None:
    """The first override that Hydra's grammar does not take."""
    for override in overrides:
        key, sign, value = override.partition("=")
        try:
            if sign and not key:
                return OptionError("", value, "has no key; write key=value")
            parse_overrides([override])
        except HydraException as error:
            quoted = _quoted(override)
            if quoted is not None:
                return OptionError(key, value, f"cannot be read; quote it: {quoted}")
            hint = "write key=value, quote special characters: \"key='#a'\""
            return OptionError(key, value, f"cannot be read ({first_line(error)}); {hint}")
    return None


def _quoted(override: str) -> str | None:
    """The override for a shell, its value quoted for Hydra's grammar as one text; None where that is no help.

    A value that begins as a list, a section, a call or a text in quotes was meant as that.
    """
    key, sign, value = override.partition("=")
    if not sign or not value.isprintable() or redacted_override(override) != override:
        return None
    if not value or re.match(r"[\[{'\"]|\w+\(", value):
        return None
    # In Hydra's quotes a backslash is one, unless a quote follows; an interpolation stays one.
    text = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + found[2].replace('"', '\\"'), value)
    word = f'{key}="{text}"'
    try:
        (parsed,) = parse_overrides([word])
    except HydraException:
        return None
    return shlex.quote(word) if parsed.value() == value else None


def _is_endless(hydra: Any, override: str) -> bool:
    """Whether this choice alone sets off on a circle of defaults lists."""
    try:
        if _is_group(hydra, key_of(override)):
            compose_config(hydra, "train", [override])
    except RecursionError:
        return True
    return False


def _is_group(hydra: Any, key: str) -> bool:
    return bool(key) and bool(hydra.config_loader.get_group_options(key.partition("@")[0]))


def _no_word(value: str) -> bool:
    """Whether Hydra reads the value as null, a number, a list or a section, which no option is named."""
    return (
        value == "null"
        or value[:1] in ("[", "{")
        or re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value) is not None
    )


def known_keys(hydra: Any, groups: Sequence[str]) -> list[str]:
    """Every key and group of the experiment with the options that were chosen."""
    config = _of_choices(hydra, groups)
    chosen = [key for key in config.hydra.runtime.choices if not key.startswith("hydra/")]
    keys = every_key(OmegaConf.to_container(config, resolve=False))
    return [key for key in keys if not key.startswith("hydra.")] + chosen


def _of_choices(hydra: Any, groups: Sequence[str]) -> Any:
    """Hydra's config of these choices; of none where they are of another config than ``train``."""
    try:
        return compose_config(hydra, "train", groups)
    except HydraException:
        return compose_config(hydra, "train", [])


def every_key(tree: Any, path: str = "") -> Iterator[str]:
    """Every key of a tree, sections before what they hold."""
    for name, value in tree.items() if isinstance(tree, dict) else ():
        full = f"{path}.{name}".lstrip(".")
        yield full
        yield from every_key(value, full)


def values_written(overrides: Sequence[str]) -> dict[str, str]:
    """Key -> value of every override, as the user wrote them."""
    return {key_of(override): override.partition("=")[2] for override in overrides}


def key_of(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
