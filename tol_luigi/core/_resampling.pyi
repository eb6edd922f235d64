def kernels() -> list[str]: ...
def resize(
    array: object,
    bands: int,
    size: tuple[int, int],
    new_size: tuple[int, int],
    box: tuple[float, float, float, float],
    kernel: str,
) -> bytes: ...
