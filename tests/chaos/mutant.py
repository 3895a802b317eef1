"""pytest's plugin of a mutant: SLUICE_MUTATION names what is taken out of the source.

The files stay as they are: modules are changed as they are imported.
"""

import importlib.abc
import importlib.machinery
import os
import secrets
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

from tests.chaos.mutations import MUTATIONS, VARIABLE, Edit


class MutantLoader(importlib.machinery.SourceFileLoader):
    """Compile the changed source, past any cache of the unchanged one."""

    edits: tuple[Edit, ...] = ()

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        for edit in self.edits:
            if edit.module == fullname:
                source = edit.apply(source)
        return compile(source, self.path, "exec", dont_inherit=True)


class MutantFinder(importlib.abc.MetaPathFinder):
    """Find the modules that are to be changed, before anybody else does."""

    def __init__(self, edits: tuple[Edit, ...]) -> None:
        self._edits = edits

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in {edit.module for edit in self._edits}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader = MutantLoader(fullname, spec.origin)
        loader.edits = self._edits
        spec.loader = loader
        return spec


def install(name: str) -> None:
    """Have this mutation in every module that is imported from now on."""
    (mutation,) = (one for one in MUTATIONS if one.name == name)
    imported = {edit.module for edit in mutation.edits} & sys.modules.keys()
    assert not imported, f"too late for {imported}"
    sys.meta_path.insert(0, MutantFinder(mutation.edits))


# Whoever names a database is asked for a key, too; it comes after tests.plugin took it away.
os.environ["SECRET_KEY"] = secrets.token_hex(32)
install(os.environ[VARIABLE])
