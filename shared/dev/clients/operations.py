"""Operations of a client nobody here wrote, one line each: it works with the simulator, or differs.

A script beside a simulator begins with Report("client 1.2"), wraps each operation in `with report.operation("name"):` and ends
with report.end(). Whatever is raised in between is a difference; the others go on.
"""

import contextlib
import sys


class Report:
    def __init__(self, client):
        self.client, self.works, self.differs = client, 0, 0

    @contextlib.contextmanager
    def operation(self, name):
        try:
            yield
        except Exception as error:  # whatever the client makes of an answer it does not understand
            self.differs += 1
            print(f"  differs  {name}: {type(error).__name__}: {error}")
        else:
            self.works += 1
            print(f"  works    {name}")

    @contextlib.contextmanager
    def refusal(self, name, kind, *words):
        """An operation that the CRM refuses: the client raises `kind`, and its text has all the words."""
        with self.operation("refused: " + name):
            try:
                yield
            except kind as error:
                text = f"{error} {getattr(error, '__dict__', '')}"
                missing = [word for word in words if word not in text]
                assert not missing, f"no {missing} in {text}"
            else:
                raise AssertionError("it was not refused")

    def end(self):
        print(f"{self.client}: {self.works} operations work, {self.differs} differ")
        sys.exit(1 if self.differs else 0)


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"
