"""Acts like a job in a container: it has its own network, in which only the named ports lead somewhere, each to a
socket of the engine's machine. Usage: job.py PORT=SOCKET... -- PROGRAM ARGUMENT..."""

import fcntl
import socket
import struct
import subprocess
import sys
import threading

SIOCSIFFLAGS = 0x8914
UP_AND_RUNNING = 0x41


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def forward(client, path):
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    for pair in ((client, server), (server, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()


def serve(listener, path):
    while True:
        forward(listener.accept()[0], path)


end = sys.argv.index("--")
ports, command = sys.argv[1:end], sys.argv[end + 1 :]
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP_AND_RUNNING))
for port, path in (pair.split("=", 1) for pair in ports):
    listener = socket.create_server(("127.0.0.1", int(port)))
    threading.Thread(target=serve, args=(listener, path), daemon=True).start()
sys.exit(subprocess.run(command).returncode)
