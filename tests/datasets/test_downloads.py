"""Downloads happen once, completely, from any working address, and continue partial ones."""

import hashlib
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest

from infobound.datasets.images import cifar10, downloads, mnist
from infobound.datasets.images.downloads import Source

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()
NOBODY = "http://127.0.0.1:9/file"
"""An address without a server."""


class Server(ThreadingHTTPServer):
    """Serves `files`, stops after `patience` bytes of each answer, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.patience, self.ranges, self.delay = (
            {"file": CONTENT},
            len(CONTENT),
            True,
            0.0,
        )
        self.asked: list[tuple[str, str]] = []

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server, name, asked = cast(Server, self.server), self.path[1:], self.headers["Range"]
        server.asked.append((name, asked))
        time.sleep(server.delay)
        if name not in server.files:
            self.send_error(404)
            return
        content = server.files[name]
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if server.ranges else 0
        if begin > len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin : begin + server.patience])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for _ in range(2):
        assert downloads.content(path, Source(MD5, (server.url("file"),))) == CONTENT
    assert server.asked == [("file", "bytes=0-")]
    assert list(path.parent.iterdir()) == [path]


def test_concurrent_runs_download_once(server: Server, tmp_path: Path) -> None:
    path, source = tmp_path / "file", Source(MD5, (server.url("file"),))
    server.delay = 0.1
    with ThreadPoolExecutor(3) as runs:
        assert [*runs.map(lambda _: downloads.content(path, source), range(3))] == [CONTENT] * 3
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_read_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert downloads.content(tmp_path / "file", Source(MD5, (NOBODY,))) == CONTENT


def test_an_interrupted_download_is_continued(server: Server, tmp_path: Path) -> None:
    path, source = tmp_path / "file", Source(MD5, (server.url("file"),))
    server.patience = 100_000
    with pytest.raises(ValueError, match=r"cannot be downloaded: .* \(ChunkedEncodingError\)"):
        downloads.content(path, source)
    assert not path.exists()
    server.patience = len(CONTENT)
    assert downloads.content(path, source) == CONTENT
    begun = int(server.asked[-1][1].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begun <= 100_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_mirror_continues_where_another_stopped(server: Server, tmp_path: Path) -> None:
    server.files["mirror"] = CONTENT
    server.patience = 200_000
    source = Source(MD5, (server.url("file"), server.url("mirror")))
    assert downloads.content(tmp_path / "file", source) == CONTENT
    assert [name for name, _ in server.asked] == ["file", "mirror"]
    assert server.asked[1][1] != "bytes=0-"


@pytest.mark.parametrize("left", [b"rubbish", CONTENT, CONTENT + b"more"])
@pytest.mark.parametrize("ranges", [True, False])
def test_the_file_is_correct_whatever_an_earlier_run_left(
    left: bytes, ranges: bool, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(left)
    server.ranges = ranges
    assert downloads.content(tmp_path / "file", Source(MD5, (server.url("file"),))) == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("first", ["missing", "other"])
def test_the_next_address_is_tried_if_one_lacks_the_file(
    first: str, server: Server, tmp_path: Path
) -> None:
    server.files["other"] = b"a page that says sorry"
    source = Source(MD5, (server.url(first), server.url("file")))
    assert downloads.content(tmp_path / "file", source) == CONTENT


def test_a_failed_download_is_refused_in_one_line_with_the_way_out(
    server: Server, tmp_path: Path
) -> None:
    server.files["other"] = b"a page that says sorry"
    urls = (server.url("missing"), server.url("other"), NOBODY)
    with pytest.raises(ValueError, match="is not there and cannot be downloaded") as refused:
        downloads.content(tmp_path / "file", Source(MD5, urls))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'file'} ")
    assert f"{urls[0]} (status 404)" in message
    assert (
        f"{urls[1]} (MD5 hash of downloaded file (file) does not match the known hash: expected"
        f" md5:{MD5} but got " in message
    )
    assert f"{NOBODY} (ConnectionError)" in message
    assert f"put it there yourself (md5 {MD5}), or set data_dir to a folder that has it" in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


def test_mnist_asks_for_the_files_that_are_missing(
    server: Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "URLS", (server.url(),))
    before = mnist.read(str(data_dir))
    path = data_dir / "mnist" / "t10k-images-idx3-ubyte.gz"
    server.files[path.name] = path.read_bytes()
    path.unlink()
    assert mnist.read(str(data_dir)).test.images.equal(before.test.images)
    assert [name for name, _ in server.asked] == [path.name]


def test_cifar_files_come_out_of_the_archive(
    server: Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cifar10.read(str(data_dir))
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(data_dir / cifar10.FOLDER, cifar10.FOLDER)
    server.files[cifar10.ARCHIVE] = server_content = packed.getvalue()
    monkeypatch.setattr(cifar10, "URLS", (server.url(),))
    monkeypatch.setattr(cifar10, "ARCHIVE_MD5", hashlib.md5(server_content).hexdigest())
    for name in cifar10.MD5:
        (data_dir / cifar10.FOLDER / name).unlink()
    assert cifar10.read(str(data_dir)).train.images.equal(before.train.images)
    assert {path.name for path in (data_dir / cifar10.FOLDER).iterdir()} == set(cifar10.MD5)
