"""What every suite that reads data shares: local files or tables, or a dataset of the hub; their content; and their count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import Question, Row, finished, table_files, table_rows
from mmplat.suites.base import LeftOut, RawSample

Asked = Question | LeftOut


@dataclass(frozen=True, slots=True)
class Loader:
    """One benchmark's data in the layouts in which it is published."""

    what: str
    """What `path` should be, for messages."""
    of_table: Callable[[Iterable[Row], SuiteSpec], Iterator[Asked]]
    """Questions of rows of a table, from the hub or from Parquet files."""
    hub: Callable[[SuiteSpec], Iterator[Row]] | None = None
    """Rows of the hub's dataset; None: the hub has it in the layout of its own."""
    snapshot: tuple[str, ...] = ()
    """Patterns of the files of that layout in the hub's repository."""
    files: Callable[[SuiteSpec, Path], Mapping[str, Path]] | None = None
    """The question files of its own layout below `path`; None: it is published as tables only."""
    questions: Callable[[SuiteSpec, Path], Sequence[Asked]] | None = None
    """Questions of those files."""
    pictures: Callable[[SuiteSpec, Path], Sequence[Path]] | None = None
    """The image of each of those questions, where they are found much sooner than the questions are made."""
    is_read: Callable[[SuiteSpec, Path], bool] = lambda spec, table: True
    """Whether a Parquet file is of this suite."""
    parts: int = 3
    """Last parts of an image's path by which its content is named in the key: what lies above them is of one machine."""

    def samples(self, spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
        if spec.params["hub"] and self.hub is not None:
            return finished(self.of_table(self.hub(spec), spec), spec)
        if spec.params["hub"]:
            return finished(self._questions(spec, _hub.snapshot(spec, self.snapshot)), spec)
        path, tables = self.local(spec)
        if tables:
            return finished(self.of_table(table_rows(tables, path), spec), spec)
        return finished(self._questions(spec, path), spec)

    def sources(self, spec: SuiteSpec) -> Mapping[str, Path | str]:
        """Everything that is read: question files, and every image that is asked about."""
        if spec.params["hub"]:
            return _hub.pinned(spec)
        path, tables = self.local(spec)
        if tables:
            return {table.relative_to(path).as_posix(): table for table in tables}
        assert self.files is not None
        images = {"/".join(image.parts[-self.parts :]): image for image in sorted(self._images(spec, path))}
        return {**self.files(spec, path), **images}

    def count(self, spec: SuiteSpec) -> int | None:
        """Tables are counted when they are prepared; so are files that are gone since."""
        if spec.params["hub"] or not Path(spec.params["path"]).exists():
            return None
        path, tables = self.local(spec)
        if tables:
            return None
        found = len(self.pictures(spec, path) if self.pictures else self._asked(spec, path))
        return found if spec.limit is None else min(found, spec.limit)

    def local(self, spec: SuiteSpec) -> tuple[Path, list[Path]]:
        """`path`, and the tables that lie there."""
        if not spec.params["path"]:
            raise ConfigError(
                f"give the data as `path` ({self.what}), or as `hub` with a `revision` (docs/benchmarks.md)."
            )
        path = Path(spec.params["path"])
        if not path.exists():
            raise ConfigError(f"there is no {path}. `path` is {self.what}.")
        tables = [table for table in table_files(path) if self.is_read(spec, table)] if path.is_dir() else []
        if not tables and self.questions is None:
            raise ConfigError(f"{path} holds no such data. `path` is {self.what}.")
        return path, tables

    def _images(self, spec: SuiteSpec, path: Path) -> set[Path]:
        if self.pictures:
            return set(self.pictures(spec, path))
        return {image for one in self._asked(spec, path) for image in one.images if isinstance(image, Path)}

    def _asked(self, spec: SuiteSpec, path: Path) -> list[Question]:
        return [one for one in self._questions(spec, path) if isinstance(one, Question)]

    def _questions(self, spec: SuiteSpec, path: Path) -> Sequence[Asked]:
        assert self.questions is not None
        return self.questions(spec, path)
