"""What the scripts here share: checks that are counted and printed."""

failures = []


def check(name, holds, seen=""):
    print(("ok      " if holds else "FAILED  ") + name)
    if not holds:
        failures.append(name)
        print(f"        {seen!r}")


def raises(name, kind, call, **expected):
    """The error of `kind` that `call` raises, after a look at its fields."""
    try:
        seen = call()
    except kind as error:
        for field, value in expected.items():
            found = getattr(error, field)
            check(f"{name}: {field} is {value}", found == value, found)
        return error
    except Exception as error:  # noqa: BLE001 - whatever else it was is shown
        seen = error
    check(name, False, seen)
    return None


def verdict():
    """The exit status."""
    print(f"{len(failures)} failed" if failures else "all hold")
    return 1 if failures else 0
