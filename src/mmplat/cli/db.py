"""mmplat db: the revision of the store."""

from __future__ import annotations

import typer

from mmplat.cli.options import ResultsOption

app = typer.Typer(help="The results store: its migration revision.", no_args_is_help=True)


@app.command()
def upgrade(results: ResultsOption = None) -> None:
    """Bring the store to the revision that this version of mmplat reads."""
    from mmplat import artifacts, store

    url = store.store_url(artifacts.results(results))
    before = store.current(url)
    typer.echo(f"{store.hidden(url)}: {before or 'empty'} → {store.upgrade(url)}", err=True)


@app.command()
def current(results: ResultsOption = None) -> None:
    """Print the revision of the store."""
    from mmplat import artifacts, store

    typer.echo(store.current(store.store_url(artifacts.results(results))) or "empty")


@app.command()
def check(results: ResultsOption = None) -> None:
    """Fail unless the store is at the revision that this version needs, with the tables that it needs."""
    from mmplat import artifacts, store
    from mmplat.errors import StoreError

    url = store.store_url(artifacts.results(results))
    if store.current(url) is None:
        raise StoreError(f"There is no store at {store.hidden(url)} yet. `mmplat publish` makes it.")
    store.check(url)
    if lacking := store.differences(url):
        raise StoreError(
            f"{store.hidden(url)} was altered by hand: {'; '.join(lacking)}. Point MMPLAT_STORE_URL at a new store (or "
            "move the file away) and run `mmplat publish`."
        )
    typer.echo(f"{store.hidden(url)} is at revision {store.head()}", err=True)
