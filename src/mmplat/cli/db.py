"""mmplat db: the revision of the store, and copies of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

app = typer.Typer(help="The results store: its migration revision, and copies of it.", no_args_is_help=True)


def _url(results: Path | None) -> URL:
    from mmplat import artifacts, store

    return store.store_url(artifacts.results(results))


@app.command()
def upgrade(results: ResultsOption = None) -> None:
    """Bring the store to the revision that this version of mmplat reads."""
    from mmplat import store

    url = _url(results)
    before = store.current(url)
    typer.echo(f"{store.hidden(url)}: {before or 'empty'} → {store.upgrade(url)}", err=True)


@app.command()
def current(results: ResultsOption = None) -> None:
    """Print the revision of the store."""
    from mmplat import store

    typer.echo(store.current(_url(results)) or "empty")


@app.command()
def check(results: ResultsOption = None) -> None:
    """Fail unless the store is at the revision that this version needs, with the tables that it needs."""
    from mmplat import store
    from mmplat.errors import StoreError

    url = _url(results)
    if store.current(url) is None:
        raise StoreError(f"There is no store at {store.hidden(url)} yet. `mmplat publish` makes it.")
    store.check(url)
    if lacking := store.differences(url):
        raise StoreError(
            f"{store.hidden(url)} was altered by hand: {'; '.join(lacking)}. Point MMPLAT_STORE_URL at a new store (or "
            "move the file away) and run `mmplat publish`."
        )
    typer.echo(f"{store.hidden(url)} is at revision {store.head()}", err=True)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write, store.jsonl.gz say; an existing one is kept.")],
    results: ResultsOption = None,
) -> None:
    """Write the whole store to one file, which restores into SQLite and PostgreSQL alike."""
    from mmplat import store
    from mmplat.errors import ConfigError

    if file.exists():
        raise ConfigError(f"{file} exists. Name another file, or remove it.")
    url = _url(results)
    made = store.backup(url, file)
    typer.echo(f"{store.hidden(url)}: {made.rows} rows at revision {made.revision} in {file}", err=True)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the store that is there.")] = False,
    results: ResultsOption = None,
) -> None:
    """Fill the store from a backup, and bring it to the revision of this version."""
    from mmplat import store

    url = _url(results)
    made = store.restore(url, file, force=force)
    typer.echo(f"{store.hidden(url)}: {made.rows} rows of revision {made.revision} → {store.head()}", err=True)
