"""What Install would do with the bundle: which files it copies where, and on which of them it sets permissions.

Sources: aws/aws-codedeploy-agent, installer.rb and install_instruction.rb (v1), src/installer (v2). A worker's own
files are unknown here, so a folder counts as missing on it, as on a new worker.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import ANY_PATTERN, NAME, Appspec, Mapping, Permission
from deployctl.build.bundle_files import Files, Installed, Place
from deployctl.build.lint_findings import Finding, Refusal, error, warning
from deployctl.build.tree import display_path


@dataclass(slots=True)
class _Targets:
    """Every path that Install creates, with the entry of `files` that creates it."""

    copies: dict[bytes, tuple[Installed, Mapping]] = field(default_factory=dict)
    folders: dict[bytes, Mapping] = field(default_factory=dict)


def install_findings(appspec: Appspec, files: Files) -> Iterator[Finding]:
    """In the agent's order: it plans all copies, then the permissions, and copies last."""
    absolute = [mapping for mapping in appspec.mappings if mapping.destination.startswith("/")]
    if len(absolute) > 1 or appspec.permissions:
        targets = _Targets()
        for mapping in absolute:
            yield from _add(targets, mapping, files)
        yield from _permissions(appspec.permissions, targets)
    for mapping in appspec.mappings:
        yield from _source(mapping, files)
        yield from _destination(mapping)


def _source(mapping: Mapping, files: Files) -> Iterator[Finding]:
    if mapping.source and files.locate(os.fsencode(mapping.source)).place is Place.MISSING:
        message = f"source {mapping.source!r} is not in the bundle"
        fix = "correct the path, or stop excluding it"
        refusal = refusals.missing_source(mapping.source)
        yield error(NAME, message, fix, mapping.line, refusal=refusal)


def _destination(mapping: Mapping) -> Iterator[Finding]:
    destination = mapping.destination
    if not destination or destination.startswith("/"):
        return
    fix = "write an absolute path, such as /opt/app"
    if destination.startswith("~"):
        message = f"destination {destination!r}: the agent does not know ~, and tries to create its own home"
        refusal = refusals.unusable_destination("/root")
    else:
        message = f"destination {destination!r} is not an absolute path"
        refusal = refusals.unusable_destination(f"/{destination}")
    yield error(NAME, message, fix, mapping.line, refusal=refusal)


def _add(targets: _Targets, mapping: Mapping, files: Files) -> Iterator[Finding]:
    """Add what the entry creates; one finding for each earlier entry that it conflicts with."""
    conflicts: dict[Mapping, list[tuple[Installed, Refusal]]] = {}
    destination = _normal(mapping.destination)
    for ancestor in _ancestors(destination):
        targets.folders.setdefault(ancestor, mapping)
    for item in files.installed(os.fsencode(mapping.source), destination):
        found = _conflict(targets, item)
        if found is not None:
            conflicts.setdefault(found[0], []).append((item, found[1]))
        elif item.is_folder:
            targets.folders.setdefault(item.destination, mapping)
        else:
            targets.copies[item.destination] = (item, mapping)
    for earlier, found_items in conflicts.items():
        item, refusal = found_items[0]
        more = f" and {len(found_items) - 1} more" if len(found_items) > 1 else ""
        message = f"the entry in line {earlier.line} already creates {display_path(item.destination)}{more}"
        yield error(NAME, message, "remove one of the two entries", mapping.line, refusal=refusal)


def _conflict(targets: _Targets, item: Installed) -> tuple[Mapping, Refusal] | None:
    """The earlier entry that creates this path too, unless both create the folder."""
    where = display_path(item.destination)
    copied = targets.copies.get(item.destination)
    if copied is not None:
        earlier, mapping = copied
        if item.is_folder:
            return mapping, refusals.file_and_folder(display_path(earlier.source), where)
        source = display_path(item.source)
        return mapping, refusals.two_sources(source, display_path(earlier.source), where)
    if not item.is_folder and item.destination in targets.folders:
        return targets.folders[item.destination], refusals.file_and_folder(display_path(item.source), where)
    return None


def _permissions(permissions: tuple[Permission, ...], targets: _Targets) -> Iterator[Finding]:
    given: dict[bytes, Permission] = {}
    for permission in permissions:
        if not permission.object:
            continue
        path = _normal(permission.object)
        reached = [path] if path in targets.copies else list(_reached(permission, path, targets))
        if not reached:
            message = f"permissions of {permission.object!r} reach nothing that is installed, and are skipped"
            fix = "name an installed file, or a folder above installed files"
            yield warning(NAME, message, fix, permission.line)
        if path in targets.copies:
            if "file" not in permission.types:
                continue
            yield from _only_for_folders(permission)
        if permission.default_acl and any(each in targets.copies for each in reached):
            message = f"a default acl on {permission.object!r} reaches files, and is for folders only"
            refusal = refusals.default_acl_on_file()
            yield error(NAME, message, "write `type: [directory]`", permission.line, refusal=refusal)
        twice = [each for each in reached if each in given]
        if twice:
            yield _twice(permission, given[twice[0]], twice)
        given.update((each, permission) for each in reached if each not in given)


def _only_for_folders(permission: Permission) -> Iterator[Finding]:
    name = permission.object
    if permission.pattern != ANY_PATTERN:
        message = f"{name!r} is a file, and a pattern is for folders only"
        refusal = refusals.pattern_on_file(name, permission.pattern)
        yield error(NAME, message, "remove the pattern", permission.line, refusal=refusal)
    if permission.excepts:
        message = f"{name!r} is a file, and except is for folders only"
        refusal = refusals.except_on_file(name, str(list(permission.excepts)))
        yield error(NAME, message, "remove except", permission.line, refusal=refusal)


def _twice(permission: Permission, earlier: Permission, twice: list[bytes]) -> Finding:
    path = display_path(twice[0])
    more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
    message = f"the permissions in line {earlier.line} already reach {path}{more}"
    fix = "use pattern, except or type so that each file is reached once"
    return error(NAME, message, fix, permission.line, refusal=refusals.object_twice(path))


def _reached(permission: Permission, folder: bytes, targets: _Targets) -> Iterator[bytes]:
    """The installed files and folders below the object that its type, pattern and except choose."""
    kinds = (("file", targets.copies), ("directory", targets.folders))
    below = folder.rstrip(b"/") + b"/"
    for kind, paths in kinds:
        if kind in permission.types:
            for path in paths:
                if path.startswith(below) and _chosen(permission, path[len(below) :]):
                    yield path


def _chosen(permission: Permission, name: bytes) -> bool:
    if any(_matches(pattern, name) for pattern in permission.excepts):
        return False
    return permission.pattern == ANY_PATTERN or _matches(permission.pattern, name)


def _matches(pattern: str, name: bytes) -> bool:
    """Only `*` is special, and a pattern reaches the object's own folder only."""
    expression = b".*".join(re.escape(os.fsencode(part)) for part in pattern.split("*"))
    return b"/" not in name and re.fullmatch(expression, name, re.DOTALL) is not None


def _normal(path: str) -> bytes:
    return os.fsencode(posixpath.normpath("/" + path.lstrip("/")))


def _ancestors(path: bytes) -> Iterator[bytes]:
    while len(path := posixpath.dirname(path)) > 1:
        yield path
