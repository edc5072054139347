"""Starts the local AWS: MiniStack with this folder's patches, in one process that ends with whoever started it.

Invariants: it listens on 127.0.0.1 only; it hands functions nothing of the environment it was started from; when it ends,
for whatever reason, no process and no file of it is left.

    python server.py [--port N] [--log FILE]

prints one line of JSON, {"endpoint": "http://127.0.0.1:PORT", "account": "111122223333"}, once it answers requests.
"""

import argparse
import asyncio
import json
import logging
import os
import pathlib
import shutil
import signal
import socket
import stat
import tempfile
import threading
import time

ACCOUNT = "111122223333"

# All that is kept of the environment: the rest (RUST_LOG, proxies, AWS_PROFILE, …) would leak into the functions, for
# MiniStack starts a function with a copy of its own environment.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


def main():
    parser = argparse.ArgumentParser(description="the local AWS of Reprofile's tests and demo")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--log", metavar="FILE", help="write the server's log there (default: no log)")
    arguments = parser.parse_args()

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", arguments.port))
    except OSError as error:
        raise SystemExit(f"the local AWS cannot listen on 127.0.0.1:{arguments.port}: {error.strerror}; "
                         "leave out --port for a free one")
    listener.listen(512)
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"

    clear_after_the_killed()
    folder = tempfile.mkdtemp(prefix=f"local-aws-{os.getpid()}-")
    try:
        prepare_environment(endpoint, folder)
        prepare_log(arguments.log)
        asyncio.run(serve(listener, endpoint, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_after_the_killed():
    """Removes the folders of servers that were killed before they could do so."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob("local-aws-*-*"):
        try:
            os.kill(int(folder.name.split("-")[2]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            pass


def prepare_environment(endpoint, folder):
    """Sets what MiniStack reads when it is imported."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update({
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ACCOUNT,  # a 12-digit key is the root of that account
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,  # so that what functions call comes back here
        "GATEWAY_PORT": endpoint.rsplit(":", 1)[1],
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": "us-east-1",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # a minute on AWS
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",  # never touch a developer's containers
        "LOG_LEVEL": "INFO",
        "TMPDIR": folder,
    })
    tempfile.tempdir = folder


def prepare_log(path):
    """Sends the log to a file, or nowhere."""
    handler = logging.FileHandler(path, encoding="utf-8") if path else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


async def serve(listener, endpoint, folder):
    """Serves until SIGTERM, SIGINT, or the end of the parent; does not return, but ends the process."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    import emulator

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(signal_number, stop.set)
    end_with_parent(lambda: loop.call_soon_threadsafe(stop.set))

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 0.5
    config.keep_alive_timeout = 75
    config.errorlog = logging.getLogger("hypercorn.error")
    application = emulator.application()
    serving = asyncio.create_task(hypercorn_serve(application, config, shutdown_trigger=stop.wait))
    announcing = asyncio.create_task(announce(endpoint))  # the loop itself keeps only a weak reference
    try:
        await serving
    finally:
        announcing.cancel()
        emulator.close()
        shutil.rmtree(folder, ignore_errors=True)
        # Worker threads may still wait for a function; nothing they could do matters any more.
        logging.shutdown()
        os._exit(0)


async def announce(endpoint):
    """Prints the endpoint as soon as a request is answered."""
    port = int(endpoint.rsplit(":", 1)[1])
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /_ministack/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            if b" 200 " in await reader.readline():
                writer.close()
                break
        except OSError:
            pass
        await asyncio.sleep(0.02)
    print(json.dumps({"endpoint": endpoint, "account": ACCOUNT}), flush=True)


def end_with_parent(stop):
    """Calls `stop` when the parent is gone, or has closed the pipe that is our stdin."""
    parent = os.getppid()

    def watch_parent():
        while os.getppid() == parent:
            time.sleep(0.2)
        stop()

    def watch_stdin():
        while os.read(0, 4096):
            pass
        stop()

    threading.Thread(target=watch_parent, daemon=True, name="parent").start()
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=watch_stdin, daemon=True, name="stdin").start()


if __name__ == "__main__":
    main()
