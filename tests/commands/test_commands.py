"""The command line as a user meets it: output, exit status, and one clear message for everything that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from polygeom.cli import COMMANDS, run
from polygeom.tables import read_table
from polygeom.tables.published import read_published_format
from polygeom.tables.table import NAMES

Capture = pytest.CaptureFixture[str]

JSON_FIELDS = {
    "network", "dimension", "lower", "upper", "proved", "expected_dimension", "ambient_dimension", "defect", "filling",
    "identifiable",
}  # fmt: skip


@pytest.fixture(scope="module")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a small family with defective, filling and identifiable members."""
    path = tmp_path_factory.mktemp("table") / "family.csv"
    assert run(["sweep", "[2..4,2..3,1..2] r=2", "--timeout", "60", "--out", str(path), "--quiet"]) == 0
    return path


def test_help_names_every_command(capsys: Capture) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: Capture) -> None:
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: polygeom {command}")
    assert "Options:" in text


def test_dim_prints_one_readable_answer(capsys: Capture) -> None:
    assert run(["dim", "[5,5,5,1] r=2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[5,5,5,1] r=2: dimension 35 (proved)\n")
    assert "defect 10" in out
    assert err == ""


def test_dim_json_has_one_object_a_line(capsys: Capture) -> None:
    assert run(["dim", "--json", "[3,3,3] r=2", "[2,2,2,2] r=3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["dimension"] for line in lines] == [15, 8]
    assert all(line.keys() >= JSON_FIELDS for line in lines)


def test_dim_goes_on_after_a_bad_network_of_a_list(capsys: Capture) -> None:
    assert run(["dim", "--json", "[2,2", "[3,3,3] r=2"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["dimension"] == 15
    assert "close the bracket" in err


def test_dim_reads_standard_input_quietly() -> None:
    command = [sys.executable, "-m", "polygeom", "dim", "-", "--json"]
    text = "# two networks\n[3,3,3] r=2\n\n[2,3,1] r=2  # the second\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["dimension"] for line in done.stdout.splitlines()] == [15, 3]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    networks = " ".join(['"[2,3,1] r=2"'] * 400)
    command = f"{sys.executable} -m polygeom dim --json {networks} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_certificates_are_written_and_verified(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "certificate.json"
    assert run(["dim", "[4,5,3,1] r=2", "--certificate", str(path)]) == 0
    assert run(["verify", str(path)]) == 0
    assert "valid" in capsys.readouterr().out
    data = json.loads(path.read_text())
    data["lower"]["rank"] += 1
    path.write_text(json.dumps(data))
    assert run(["verify", str(path)]) == 1
    assert "NOT VALID" in capsys.readouterr().out


@pytest.mark.thorough
def test_sweep_writes_prints_and_resumes(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "table.csv"
    arguments = ["sweep", "[2..3,2..4,1] r=2..3", "--timeout", "60", "--out", str(out), "--published-format"]
    assert run([*arguments, str(tmp_path / "runs")]) == 0
    first = out.read_bytes()
    printed = capsys.readouterr().out
    assert "12 networks, 12 proved" in printed
    assert "[3,2,1] r=2" in printed
    frame = read_table(out)
    assert tuple(frame.columns) == NAMES
    assert len(read_published_format(tmp_path / "runs")) == 12
    assert run([*arguments, str(tmp_path / "runs")]) == 0
    assert out.read_bytes() == first


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polygeom.tables.dimensions.sweep", interrupted)
    assert run(["sweep", "[2,2,1] r=2", "--out", str(tmp_path / "t.csv")]) == 130
    err = capsys.readouterr().err
    assert f"{tmp_path / 't.csv'}.journal; run the same command again" in err


def test_sweep_status_tells_of_rows_without_a_result(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "networks.txt"
    file.write_text("convolutional(5|2, kernels=[3,2], degrees=2)\n")
    assert run(["sweep", "--from", str(file), "--timeout", "60"]) == 1
    assert "1 invalid" in capsys.readouterr().out


def test_table_filters_sorts_counts_and_writes(table_file: Path, tmp_path: Path, capsys: Capture) -> None:
    kept = tmp_path / "kept.csv"
    arguments = ["--where", "defect > 0", "--where", "dimension < expected_dimension", "--sort", "-dimension"]
    assert run(["table", str(table_file), *arguments, "--out", str(kept)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[1:4]] == ["[4,3,1]", "[4,2,1]", "[3,2,1]"]
    assert list(read_table(kept)["dimension"]) == [9, 7, 5]
    assert run(["table", str(table_file), "--by", "defect"]) == 0
    assert "defect = 1: 3" in capsys.readouterr().out


def test_table_checks_a_conjecture(table_file: Path, capsys: Capture) -> None:
    conjecture = ["--where", "non_increasing = yes", "--check", "defect = 0"]
    assert run(["table", str(table_file), *conjecture]) == 1
    assert "holds for" in capsys.readouterr().out
    two_outputs = [*conjecture, "--where", "network != x", "--where", "ambient_dimension != parameters"]
    assert run(["table", str(table_file), "--where", "identifiable = yes", "--check", "defect = 0"]) == 0
    assert two_outputs


def test_table_counts_agree_with_pandas(table_file: Path, capsys: Capture) -> None:
    frame = pandas.read_csv(table_file)
    assert run(["table", str(table_file), "--where", "filling = yes"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{int(frame['filling'].sum())} networks, ")


def test_info_is_machine_readable(capsys: Capture) -> None:
    assert run(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"polygeom", "numpy", "numba", "sympy ground types"} <= facts.keys()


BAD = [
    (["dim"], "there is no network; write"),
    (["dim", ""], "write"),
    (["dim", "[3,3,3"], "close the bracket with ]"),
    (["dim", "[3,,3] r=2"], "expected"),
    (["dim", "[3,0,3] r=2"], "write"),
    (["dim", "[3,-1,3] r=2"], "write"),
    (["dim", "[3,3,3]"], "r="),
    (["dim", "[3,3,3] r=0"], "write"),
    (["dim", "[3,3,3] r=2,2"], "write"),
    (["dim", "[3,3,3] r=two"], "write"),
    (["dim", "[3,3,3] r=2 r=3"], "write"),
    (["dim", "[3\u20133,3] r=2"], "write"),
    (["dim", "[\uff13,3,3] r=2"], "write"),
    (["dim", "[1e3,3,3] r=2"], "write"),
    (["dim", "[3,3,3] r=2", "--method", "magic"], "auto"),
    (["dim", "[3,3,3] r=2", "--error", "0"], "error=1e-9"),
    (["dim", "[3,3,3] r=2", "--error", "many"], "not a valid float"),
    (["dim", "[3,3,3] r=2", "--seed", "-1"], "rng=0"),
    (["dim", "[3,3,3] r=2", "--memory", "lots"], "2GB"),
    (["dim", "[64,64,64,1] r=2", "--memory", "1MB"], "memory"),
    (["dim", "[3,3,3] r=2", "[2,2,2] r=2", "--certificate", "c.json"], "one network"),
    (["dim", "[3,3,3] r=2", "--certificate", "no/such/folder/c.json"], "create the folder"),
    (["dim", "[3,3,3] r=2", "--colour"], "No such option"),
    (["dimension", "[3,3,3] r=2"], "No such command"),
    (["sweep"], 'polygeom sweep "[2..4,2..4,1] r=2"'),
    (["sweep", "[2..1,2,1] r=2"], "write"),
    (["sweep", "[2..,2,1] r=2"], "write"),
    (["sweep", "[2..4,2"], "close the bracket"),
    (["sweep", "[1..10000,1..10000,1..10000] r=2"], "narrower ranges"),
    (["sweep", "[2,2,1] r=2", "--timeout", "0"], "write"),
    (["sweep", "[2,2,1] r=2", "--timeout", "soon"], "not a valid float"),
    (["sweep", "[2,2,1] r=2", "--workers", "0"], "write"),
    (["sweep", "[2,2,1] r=2", "--memory", "-3GB"], "text such as '2GB'"),
    (["sweep", "[2,2,1] r=2", "--out", "no/such/folder/t.csv"], "create the folder first"),
    (["sweep", "[2,2,1] r=2", "--from", "no-such-file.txt"], "write"),
    (["sweep", "[2,2,1] r=2", "--retry", "lost"], "such as ['crashed']"),
    (["table"], "Missing argument"),
    (["table", "no-such-table.csv"], "write"),
    (["table", "TABLE", "--where", "defect"], 'write COLUMN OPERATOR VALUE, for example "defect > 0"'),
    (["table", "TABLE", "--where", "colour = red"], "write one of network"),
    (["table", "TABLE", "--where", "defect > large"], "write defect > 0"),
    (["table", "TABLE", "--where", "filling = maybe"], "write filling = yes"),
    (["table", "TABLE", "--sort", "colour"], "write one of network"),
    (["table", "TABLE", "--by", "colour"], "write one of network"),
    (["table", "TABLE", "--where", "__import__('os') = 1"], "write COLUMN OPERATOR VALUE"),
    (["verify"], "no FILE"),
    (["verify", "no-such-certificate.json"], "write the path"),
    (["verify", "TABLE"], "not JSON"),
]


@pytest.mark.parametrize(("arguments", "advice"), BAD, ids=lambda x: " ".join(x)[:50] if isinstance(x, list) else "")
def test_bad_input_gets_one_clear_message(
    arguments: list[str],
    advice: str,
    table_file: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status = run([str(table_file) if word == "TABLE" else word for word in arguments])
    out, err = capsys.readouterr()
    assert status == 2
    assert advice in err
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


CERTIFICATES = [
    ("", "not JSON"),
    ("{}", "no field kind"),
    ("[1]", "no field kind"),
    ('{"kind": "horoscope"}', "kind must be one of dimension"),
    ('{"kind": "dimension", "kind": "dimension"}', "a key occurs twice"),
    ('{"kind": "dimension", "format": 99}', "newer polygeom"),
    ('{"kind": "dimension", "format": 1}', "format must be 2"),
    ('{"kind": "dimension", "format": 2}', "missing required field"),
    ('{"kind": "dimension", "format": NaN}', "not an integer"),
    ("[" * 100_000, "not JSON"),
]


@pytest.mark.parametrize(("text", "advice"), CERTIFICATES, ids=lambda x: str(x)[:40])
def test_malformed_certificates_are_refused(text: str, advice: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(text)
    assert run(["verify", str(path)]) == 2
    assert advice in capsys.readouterr().err
