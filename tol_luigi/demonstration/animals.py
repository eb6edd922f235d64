"""Draw vertebrates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration.canvas import colour, mix

if TYPE_CHECKING:
    from tol_luigi.demonstration.canvas import Canvas, Style

__all__ = ["bird", "fish", "frog", "penguin", "portrait", "salamander", "turtle"]

_BLACK, _WHITE, _WOOD = colour("#1e1b1f"), colour("#f6f3ea"), colour("#6b4c33")


def bird(canvas: Canvas, style: Style) -> None:
    """Draw a bird on a branch. Tints: back, belly, breast, bill, crown; form: length of the bill."""
    back, belly, breast, bill, crown = style.tints
    shade, legs = mix(back, _BLACK, 0.3), colour("#7d5a46")
    canvas.stroke("-110,39 -20,31 20,33 110,22", 4.2, _WOOD, end=3)
    canvas.stroke("-110,38 -20,30 20,32 110,21", 1.2, mix(_WOOD, _WHITE, 0.3), end=0.8)
    for at, turn in ((-43 + 27j, -0.7), (38 + 25j, -0.9), (44 + 36j, 0.8)):
        canvas.oval(at, 9, 3.5, colour("#7fa653"), turn=turn)
    canvas.shape("-16,8 -40,19 -48,26 -43,30 -12,21", shade)
    for foot in (0, 8):
        leg = canvas.move(complex(foot, 0))
        leg.stroke("0,18 2,31", 1.6, legs)
        leg.stroke("-2,31.5 6,31.2", 1.8, legs)
    canvas.shape("-24,13 -10,-8 8,-20 22,-8 23,6 10,21 -10,22", belly)
    canvas.shape("-28,14 -14,-7 4,-22 12,-10 0,4 -14,16", back)
    canvas.oval(13 - 22j, 14, 13, back)
    canvas.shape("22,-30 28,-18 26,0 16,11 7,3 10,-13", breast)
    if style.mark == "cheek":
        canvas.oval(14 - 20j, 11.5, 9, _WHITE, relief=0.1)
        canvas.shape("0,-29 10,-36 22,-32 26,-26 12,-29", crown)
        canvas.stroke("0,-23 14,-24.5 27,-22", 1.7, mix(crown, _BLACK, 0.6))
        canvas.shape("22,-18 26,-18 24,-12 16,-10", mix(crown, _BLACK, 0.6), relief=0)
    if style.mark == "jewel":
        canvas.shape("0,-26 10,-36 26,-28 14,-25", crown)
        canvas.shape("14,-24 24,-24 22,-17 12,-16", breast, relief=0.1)
        canvas.oval(4.5 - 18j, 5.5, 3.4, _WHITE, turn=0.9, relief=0.1)
        canvas.oval(23 - 14.5j, 4.5, 2.4, _WHITE, turn=0.5, relief=0)
        for spot in range(5):
            canvas.oval(
                complex(4 + 4 * spot, -31.5 + abs(spot - 2)), 0.9, 0.9, mix(crown, _WHITE, 0.5), relief=0
            )
    canvas.shape("0,-9 9,4 -2,13 -34,20 -18,2", mix(back, crown, 0.4))
    for row in range(4):
        feather = [
            complex(3 + row, 8 - 4 * row),
            complex(-14 - row, 12 - 2.6 * row),
            complex(-31 + 5 * row, 18 - 2 * row),
        ]
        canvas.stroke(feather, 1.1, mix(shade, crown, 0.3), end=0.4)
    canvas.shape([24.5 - 25j, 25 + style.form - 20.5j, 24.5 - 18.5j], bill, soft=False)
    canvas.stroke([25 - 21.5j, 24 + style.form - 20.6j], 0.6, mix(bill, _BLACK, 0.5))
    canvas.eye(19 - 25j, 2.6)


def penguin(canvas: Canvas, style: Style) -> None:
    """Draw a penguin. Tints: back, belly, face, bill."""
    back, belly, face, bill = style.tints
    canvas.shadow(43j, 30, 5)
    for half in canvas.both_sides():
        half.shape("6,40 18,41 19,45 3,45", colour("#4a4347"))
        half.shape("13,-12 25,3 29,24 24,24 16,12", mix(back, _BLACK, 0.2))
    canvas.shape("0,-24 14,-15 20,12 15,38 0,43 -15,38 -20,12 -14,-15", back)
    canvas.shape("0,-15 10,-10 15.5,14 10,37 0,40 -10,37 -15.5,14 -10,-10", belly)
    canvas.stroke("-12,32 -13,8 -9,-5 0,-8 9,-5 13,8 12,32", 2.6, back)
    for _ in range(9):
        canvas.oval(complex(canvas.rng.uniform(-9, 9), canvas.rng.uniform(2, 30)), 0.7, 0.7, back, relief=0)
    canvas.oval(-28j, 12.5, 13.5, back)
    canvas.stroke("4,-38 -5,-36 -9,-28 -6,-20 2,-16 8,-17", 4, belly, end=3)
    canvas.oval(6.5 - 33j, 4.6, 2.4, face, relief=0.1)
    canvas.shape("9,-30.5 17,-30 25.5,-25 24,-22.5 9,-24", bill)
    canvas.stroke("19,-28.5 18,-23.5", 1.6, mix(bill, _WHITE, 0.5))
    canvas.eye(6.5 - 30j, 2.2, colour("#8a5a3a"))


def _ear(canvas: Canvas, style: Style, shade: tuple[int, int, int]) -> None:
    """Draw one ear of a portrait: round with a pale edge, or pointed and ``style.form`` long."""
    fur, light, dark, _ = style.tints
    if style.mark == "mask":
        canvas.oval(20 - 24j, 10, 12, light, turn=0.5)
        canvas.oval(20.5 - 22.5j, 6, 8, shade, turn=0.5)
        return
    tip, long = complex(19 if style.mark != "hare" else 15, -20 - style.form), style.form
    canvas.shape(
        [
            6 - 20j,
            complex(13 if style.mark != "hare" else 6, -22 - 0.6 * long),
            tip,
            tip + 4 + 0.14j * long,
            22 - 10j,
        ],
        shade,
    )
    canvas.shape(
        [10 - 18j, tip + complex(-4, 0.45 * long), tip + 0.14j * long, 18 - 14j], mix(light, fur, 0.4)
    )
    canvas.shape(
        [tip + complex(-3.4, 0.16 * long), tip, tip + complex(3.6, 0.16 * long), tip + 0.1j * long], dark
    )


def portrait(canvas: Canvas, style: Style) -> None:
    """Draw a mammal's face from the front. Tints: fur, light, dark, iris; form: length of the ears."""
    fur, light, dark, iris = style.tints
    mask, hare, shade = style.mark == "mask", style.mark == "hare", mix(fur, _BLACK, 0.18)
    canvas = canvas.move(13j if hare else 2j, 0.95 if hare else 1.05)
    canvas.shape("-34,110 -30,34 -14,14 14,14 30,34 34,110", shade)
    canvas.shape("-15,110 -15,30 0,18 15,30 15,110", dark if mask else light)
    for half in canvas.both_sides():
        _ear(half, style, shade)
    if hare:
        canvas.shape("0,-25 14,-22 23,-6 23,8 13,21 0,25 -13,21 -23,8 -23,-6 -14,-22", fur)
    else:
        canvas.shape("0,-28 17,-23 29,-2 30,9 10,22 0,26 -10,22 -30,9 -29,-2 -17,-23", fur)
    for half in canvas.both_sides():
        if mask:
            half.shape("6,6 13,2 26,4 22,13 8,23", light, relief=0.12)
            half.oval(12 - 15j, 5.5, 3.5, light, turn=-0.5, relief=0.1)
            half.stroke("11,0 15,8 13,20", 5.5, mix(fur, dark, 0.35), end=3)
        elif hare:
            half.oval(14 - 5j, 8.5, 7, mix(light, fur, 0.35), turn=0.4, relief=0.08)
            half.oval(6.5 + 16j, 9, 7, light, relief=0.1)
        else:
            half.shape("1,5 10,4 29,7 21,14 6,24 1,24", light, relief=0.12)
        half.eye((14.5 if hare else 12) - 4.5j, 4.8 if hare else 3.8, iris)
    canvas.shape("0,-4 6,8 7,18 0,24 -7,18 -6,8", light if mask else mix(fur, light, 0.35), relief=0.12)
    canvas.shape("-5,10 5,10 0,15.5", mix(dark, (190, 120, 110), 0.5) if hare else _BLACK)
    canvas.stroke("0,15 0,18.5", 0.8, _BLACK)
    canvas.stroke("-5,19.5 -2,20.5 0,18.5 2,20.5 5,19.5", 0.8, _BLACK)
    for half in canvas.both_sides():
        for row in range(3):
            root = complex(6, 14 + 2 * row)
            half.stroke(
                [root, root + complex(12, 2 * row - 1), root + complex(22, 3 * row)],
                0.5,
                mix(_WHITE, fur, 0.2),
            )


def fish(canvas: Canvas, style: Style) -> None:
    """Draw fish. Tints: body, belly, fins; form: height of the body; mark: shoal (several fish)."""
    places = [(2 + 2j, 1.0)]
    if style.mark == "shoal":
        places = [(-24 - 34j, 0.42), (26 + 35j, 0.38), (-30 + 32j, 0.34), *places]
    for at, scale in places:
        one = canvas.move(at, scale * canvas.jitter(1, 0.06), canvas.rng.uniform(-0.15, 0.15))
        _one_fish(one, style, style.form)


def _one_fish(canvas: Canvas, style: Style, high: float) -> None:
    """Draw a fish from the side. ``high`` is half the height of its body."""
    body, belly, fins = style.tints

    def stretched(text: str) -> list[complex]:
        """Parse an outline with heights in percent of the height of the body."""
        pairs = (pair.split(",") for pair in text.split())
        return [complex(float(x), float(y) * high / 100) for x, y in pairs]

    ray = mix(fins, _BLACK, 0.25)
    canvas.shape("-20,0 -34,-15 -45,-19 -40,0 -45,19 -34,13", fins)
    canvas.shape(stretched("14,-70 2,-135 -18,-118 -23,-40"), fins)
    canvas.shape(stretched("2,70 -8,130 -22,105 -20,40"), fins)
    for spine in range(5):
        canvas.stroke([-25 + 0j, complex(-39, 6 * spine - 12)], 0.6, ray)
        canvas.stroke(stretched(f"{8 - 6 * spine},-60 {2 - 5 * spine},-118"), 0.6, ray)
    canvas.shape(stretched("37,6 26,-62 6,-100 -14,-60 -27,-18 -27,18 -14,60 6,100 26,66"), body, relief=0.3)
    canvas.shape(stretched("30,25 16,82 -2,84 -20,30 5,50"), belly, alpha=120)
    for row in range(5):
        for column in range(5 - row % 2):
            x, y = -17 + 6.5 * column + 3.2 * (row % 2), (-52 + 26 * row) * high / 100
            canvas.stroke(
                [complex(x, y - 2.8), complex(x + 2, y), complex(x, y + 2.8)], 0.5, mix(body, _BLACK, 0.22)
            )
    canvas.stroke(stretched("21,-50 15,0 20,55"), 1, mix(body, _BLACK, 0.35))
    canvas.shape("12,5 0,3 -6,11 2,14", mix(fins, _WHITE, 0.15))
    canvas.stroke(stretched("36.5,14 31,30"), 0.9, mix(body, _BLACK, 0.5))
    canvas.oval(complex(26, -0.2 * high), 3.6, 3.6, _WHITE, relief=0)
    canvas.eye(complex(26.3, -0.2 * high), 2.5)


def frog(canvas: Canvas, style: Style) -> None:
    """Draw a frog from the front. Tints: skin, belly, blotches."""
    skin, belly, blotch = style.tints
    canvas = canvas.move(-3j, 1.1)
    dark = mix(skin, _BLACK, 0.12)
    canvas.shadow(34j, 44, 7)
    for half in canvas.both_sides():
        half.shape("16,2 34,-4 42,12 35,29 14,30", dark)
        for toe in (22, 31, 40):
            half.stroke([27 + 28j, complex(toe, 34)], 3, dark, end=1.8)
    canvas.shape("0,-16 20,-10 27,10 20,30 0,34 -20,30 -27,10 -20,-10", skin)
    canvas.shape("0,4 17,8 16,27 0,32 -16,27 -17,8", belly, relief=0.12)
    for half in canvas.both_sides():
        half.stroke("19,8 18,22 13,33", 7.5, skin, end=5)
        for toe in (5, 11, 17, 21):
            half.stroke([13 + 33j, complex(toe, 37.5)], 2.6, skin, end=1.6)
    canvas.shape("0,-24 17,-22 29,-7 25,5 0,10 -25,5 -29,-7 -17,-22", skin)
    for _ in range(12):
        at = complex(canvas.rng.uniform(-18, 18), canvas.rng.uniform(-21, -10))
        canvas.oval(at, canvas.jitter(2, 0.4), 1.3, blotch, relief=0.1)
    canvas.stroke("-26,-1 -12,4.5 0,3 12,4.5 26,-1", 1.1, mix(skin, _BLACK, 0.6))
    for half in canvas.both_sides():
        half.shape("20,-14 29,-7 26,-2 21,-6", mix(blotch, _BLACK, 0.3), relief=0)
        half.oval(18 - 21j, 8.5, 8.5, skin)
        half.oval(18.5 - 21.5j, 6, 6, colour("#d9b24a"), relief=0.15)
        half.oval(18.5 - 21.5j, 4.5, 2.6, _BLACK, relief=0)
        half.oval(3.5 - 6j, 0.8, 0.6, mix(skin, _BLACK, 0.6), relief=0)
        half.oval(17 - 23.5j, 1.2, 1.2, _WHITE, relief=0)


def salamander(canvas: Canvas, style: Style) -> None:
    """Draw a salamander from above. Tints: skin, spots."""
    skin, spots = style.tints
    canvas = canvas.move(1 - 1j, 1.25, canvas.rng.uniform(0.5, 1.1))
    rng, sway = canvas.rng, canvas.rng.uniform(5, 11)
    spine = [
        complex(x * sway / 8, y)
        for x, y in ((0, -26), (0, -14), (-4, 0), (0, 14), (9, 26), (8, 38), (-4, 46))
    ]
    for leg, (root, knee, foot) in enumerate(((-12, 13, 19), (-12, 13, 19), (13, 11, 17), (13, 11, 17))):
        half = canvas.both_sides()[leg % 2]
        toes = complex(foot, root + (-8 if root < 0 else 9))
        half.stroke([complex(0, root), complex(knee, root + rng.uniform(-2, 2)), toes], 5.2, skin, end=3.6)
        for toe in (-3, 0, 3):
            half.stroke([toes, toes + complex(3, toe)], 1.6, skin)
    canvas.stroke([p + 1.5 + 1j for p in spine], 13, mix(skin, (90, 80, 70), 0.3), end=2)
    canvas.stroke(spine, 13, skin, end=2)
    canvas.shape("0,-43 7,-38 7.5,-29 0,-24 -7.5,-29 -7,-38", skin, relief=0.4)
    for step in range(22):
        along = step / 22 * (len(spine) - 1)
        at, after = spine[int(along)], spine[int(along) + 1]
        off = (after - at) / abs(after - at) * 1j * (3.2 if step % 2 else -3.2) * (1 - step / 28)
        size = 1 - step / 34
        canvas.oval(
            at + (after - at) * (along % 1) + off,
            canvas.jitter(2.5 * size, 0.3),
            2.1 * size,
            spots,
            relief=0.14,
        )
    for half in canvas.both_sides():
        half.oval(4.4 - 33j, 2, 3.4, spots, turn=-0.3, relief=0.1)
        half.eye(5.6 - 37j, 1.7)


def turtle(canvas: Canvas, style: Style) -> None:
    """Draw a swimming turtle from above. Tints: shell, seams, skin."""
    shell, seam, skin = style.tints
    canvas = canvas.move(3j, 1.05, canvas.rng.uniform(0.4, 1.2))
    for half in canvas.both_sides():
        half.shape("11,-18 20,-27 38,-25 48,-6 34,-12 19,-7", skin)
        half.shape("8,22 19,30 24,42 15,40 5,30", skin)
        for _ in range(7):
            spot = complex(half.rng.uniform(20, 36), half.rng.uniform(-22, -14))
            half.oval(spot, 1.6, 1.3, mix(skin, _BLACK, 0.35), relief=0)
    canvas.shape("-6,-20 -8,-34 -4,-45 4,-45 8,-34 6,-20", skin)
    for at in (-36 + 0j, -40 + 3j, -40 - 3j, -31 + 4j, -31 - 4j):
        canvas.oval(at * 1j, 1.8, 1.6, mix(skin, _BLACK, 0.35), relief=0)
    for half in canvas.both_sides():
        half.eye(5.6 - 39j, 1.7)
    canvas.shape("0,-27 17,-20 23,2 14,26 0,36 -14,26 -23,2 -17,-20", mix(shell, seam, 0.65))
    for half in canvas.both_sides():
        for rib in (
            "9,-22 16,-17 18,-8 9,-9",
            "9,-7 19,-6 20,4 10,4",
            "9,6 20,6 17,16 8,15",
            "7,17 16,18 11,25 5,24",
        ):
            half.shape(rib, shell, relief=0.32, soft=False)
    for plate in ("-5,-24 5,-24 8,-15 5,-9 -5,-9 -8,-15", "-5,-7 5,-7 9,-1 5,5 -5,5 -9,-1"):
        canvas.shape(plate, shell, relief=0.32, soft=False)
    for plate in ("-5,7 5,7 8,12 4,18 -4,18 -8,12", "-4,20 4,20 5,25 0,32 -5,25"):
        canvas.shape(plate, shell, relief=0.32, soft=False)
