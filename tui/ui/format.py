"""Texts of a fixed width: cut, padded, broken into lines, by the cells that they take. Pure."""

from rich.cells import cell_len, chop_cells, set_cell_size


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad or cut a text to exactly `width` cells; what does not fit ends in an ellipsis."""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "\u2026"
        return text.rjust(width) if right else text.ljust(width)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "\u2026"
    return " " * (width - cells) + text if right else text + " " * (width - cells)


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` cells, between words where it can; there is always one."""
    width = max(2, width)  # a letter can have two cells
    words = text.lstrip(" ").split(" ")
    lines = [" " * min(len(text) - len(text.lstrip(" ")), width // 2)]
    for word in words:
        for piece in chop_cells(word, width) or [""]:
            gap = " " if lines[-1].strip() else ""
            if cell_len(lines[-1]) + len(gap) + cell_len(piece) <= width:
                lines[-1] += gap + piece
            else:
                lines.append(piece)
    return lines
