import pytest

from mmplat.errors import DuplicateName, UnknownName
from mmplat.registry import Registry


def filled() -> Registry[int]:
    registry: Registry[int] = Registry("method")
    registry.add("naive", 1)
    registry.add("vcd", 2)
    return registry


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all():
    with pytest.raises(
        UnknownName, match=r"Unknown method 'vdc' in grid.yaml:3. Did you mean 'vcd'\? Known: naive, vcd."
    ):
        filled().get("vdc", where=" in grid.yaml:3")


def test_a_second_claim_to_a_name_is_refused():
    with pytest.raises(DuplicateName, match="Two methods are called 'naive'"):
        filled().add("naive", 3)


def test_extensions_outside_the_repository_come_in_by_entry_point(tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text(
        "from mmplat.views import ViewKind, catalog\n"
        "catalog.add('mirrored', ViewKind('mirrored', 'left is right', 'picture', transform=lambda p, q, s: p[:, ::-1]))\n"
    )
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mmplat.views]\nmirrored = outside\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import subprocess
    import sys

    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from mmplat.views import bind; print(bind('mirrored').name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "mirrored\n"
