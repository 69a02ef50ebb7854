def test_files_that_come_and_go_while_it_looks(tmp_path: Path) -> None:
    """A killed run's trackers write on for a moment, in processes of their own."""
    for number in range(40):
        (tmp_path / f"{number}").touch()
    is_done = threading.Event()

    def bustle() -> None:
        while not is_done.is_set():
            for number in range(40):
                (tmp_path / f"{number}").unlink(missing_ok=True)
                (tmp_path / f"{number}").touch()

    busy = threading.Thread(target=bustle)
    busy.start()
    try:
        for _ in range(300):
            check_tree(tmp_path, "RUN")
    finally:
        is_done.set()
        busy.join()
