"""A stand-in for repld on the control socket, for tests of what replctl prints.

It plays back scripted frames and remembers the requests; it knows nothing of clusters. Each step of
the script serves one connection:
  {"progress": [body, ...], "answer": body}   progress messages, then the response
  {"progress": [...], "then": "close"}        the connection ends without a response
  {"progress": [...], "then": "hang"}         the connection stays open, silently
  {"progress": [...], "then": "garbage"}      bytes that are no frame
"""
import json
import os
import socket
import struct
import threading

REQUEST_BYTES_MAX = 1024 * 1024


def frame(kind, number, body):
    text = json.dumps({"v": 1, "t": kind, "id": number, "b": body}).encode()
    return struct.pack(">I", len(text)) + text


def receive(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


class ScriptedDaemon:
    """Use as a context manager; afterwards `requests` holds the bodies that came."""

    def __init__(self, path, steps):
        self.path = path
        self.steps = list(steps)
        self.requests = []
        self.failure = None
        self.asked = threading.Event()  # set by the first request

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(0.1)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.listener.close()
        os.unlink(self.path)

    def _serve(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except socket.timeout:
                continue
            with connection:
                try:
                    self._answer(connection)
                except (OSError, ValueError) as problem:
                    self.failure = problem

    def _answer(self, connection):
        connection.settimeout(5)
        (length,) = struct.unpack(">I", receive(connection, 4))
        if length > REQUEST_BYTES_MAX:
            raise ValueError("the request has %d bytes" % length)
        request = json.loads(receive(connection, length))
        assert request["v"] == 1 and request["t"] == "request", request
        self.requests.append(request["b"])
        self.asked.set()
        if not self.steps:
            raise ValueError("no answer is scripted for %s" % request["b"])
        step = self.steps.pop(0)
        for body in step.get("progress", []):
            connection.sendall(frame("progress", request["id"], body))
        if "answer" in step:
            connection.sendall(frame("response", request["id"], {"value": step["answer"]}))
        elif step["then"] == "garbage":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif step["then"] == "hang":
            self.ended.wait(30)
