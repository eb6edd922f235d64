"""Figures of animals with a backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration.pen import colour, mix

if TYPE_CHECKING:
    from tol_luigi.demonstration.pen import Look, Pen

__all__ = ["bird", "fish", "frog", "penguin", "portrait", "salamander", "turtle"]

_BLACK, _WHITE, _WOOD = colour("#1e1b1f"), colour("#f6f3ea"), colour("#6b4c33")


def bird(pen: Pen, look: Look) -> None:
    """Draw a perching bird. Tints: back, belly, breast, bill, crown; form: length of the bill."""
    back, belly, breast, bill, crown = look.tints
    shade, legs = mix(back, _BLACK, 0.3), colour("#7d5a46")
    pen.stroke("-110,39 -20,31 20,33 110,22", 4.2, _WOOD, end=3)
    pen.stroke("-110,38 -20,30 20,32 110,21", 1.2, mix(_WOOD, _WHITE, 0.3), end=0.8)
    for at, turn in ((-43 + 27j, -0.7), (38 + 25j, -0.9), (44 + 36j, 0.8)):
        pen.oval(at, 9, 3.5, colour("#7fa653"), turn=turn)
    pen.blob("-16,8 -40,19 -48,26 -43,30 -12,21", shade)
    for foot in (0, 8):
        leg = pen.moved(complex(foot, 0))
        leg.stroke("0,18 2,31", 1.6, legs)
        leg.stroke("-2,31.5 6,31.2", 1.8, legs)
    pen.blob("-24,13 -10,-8 8,-20 22,-8 23,6 10,21 -10,22", belly)
    pen.blob("-28,14 -14,-7 4,-22 12,-10 0,4 -14,16", back)
    pen.oval(13 - 22j, 14, 13, back)
    pen.blob("22,-30 28,-18 26,0 16,11 7,3 10,-13", breast)
    if look.mark == "cheek":
        pen.oval(14 - 20j, 11.5, 9, _WHITE, relief=0.1)
        pen.blob("0,-29 10,-36 22,-32 26,-26 12,-29", crown)
        pen.stroke("0,-23 14,-24.5 27,-22", 1.7, mix(crown, _BLACK, 0.6))
        pen.blob("22,-18 26,-18 24,-12 16,-10", mix(crown, _BLACK, 0.6), relief=0)
    if look.mark == "jewel":
        pen.blob("0,-26 10,-36 26,-28 14,-25", crown)
        pen.blob("14,-24 24,-24 22,-17 12,-16", breast, relief=0.1)
        pen.oval(4.5 - 18j, 5.5, 3.4, _WHITE, turn=0.9, relief=0.1)
        pen.oval(23 - 14.5j, 4.5, 2.4, _WHITE, turn=0.5, relief=0)
        for spot in range(5):
            pen.oval(
                complex(4 + 4 * spot, -31.5 + abs(spot - 2)), 0.9, 0.9, mix(crown, _WHITE, 0.5), relief=0
            )
    pen.blob("0,-9 9,4 -2,13 -34,20 -18,2", mix(back, crown, 0.4))
    for row in range(4):
        feather = [
            complex(3 + row, 8 - 4 * row),
            complex(-14 - row, 12 - 2.6 * row),
            complex(-31 + 5 * row, 18 - 2 * row),
        ]
        pen.stroke(feather, 1.1, mix(shade, crown, 0.3), end=0.4)
    pen.blob([24.5 - 25j, 25 + look.form - 20.5j, 24.5 - 18.5j], bill, soft=False)
    pen.stroke([25 - 21.5j, 24 + look.form - 20.6j], 0.6, mix(bill, _BLACK, 0.5))
    pen.eye(19 - 25j, 2.6)


def penguin(pen: Pen, look: Look) -> None:
    """Draw a penguin. Tints: back, belly, face, bill."""
    back, belly, face, bill = look.tints
    pen.shadow(43j, 30, 5)
    for half in pen.both():
        half.blob("6,40 18,41 19,45 3,45", colour("#4a4347"))
        half.blob("13,-12 25,3 29,24 24,24 16,12", mix(back, _BLACK, 0.2))
    pen.blob("0,-24 14,-15 20,12 15,38 0,43 -15,38 -20,12 -14,-15", back)
    pen.blob("0,-15 10,-10 15.5,14 10,37 0,40 -10,37 -15.5,14 -10,-10", belly)
    pen.stroke("-12,32 -13,8 -9,-5 0,-8 9,-5 13,8 12,32", 2.6, back)
    for _ in range(9):
        pen.oval(complex(pen.dice.uniform(-9, 9), pen.dice.uniform(2, 30)), 0.7, 0.7, back, relief=0)
    pen.oval(-28j, 12.5, 13.5, back)
    pen.stroke("4,-38 -5,-36 -9,-28 -6,-20 2,-16 8,-17", 4, belly, end=3)
    pen.oval(6.5 - 33j, 4.6, 2.4, face, relief=0.1)
    pen.blob("9,-30.5 17,-30 25.5,-25 24,-22.5 9,-24", bill)
    pen.stroke("19,-28.5 18,-23.5", 1.6, mix(bill, _WHITE, 0.5))
    pen.eye(6.5 - 30j, 2.2, colour("#8a5a3a"))


def _ear(pen: Pen, look: Look, shade: tuple[int, int, int]) -> None:
    """Draw one ear of a portrait: round with a pale edge, or pointed and ``look.form`` long."""
    fur, light, dark, _ = look.tints
    if look.mark == "mask":
        pen.oval(20 - 24j, 10, 12, light, turn=0.5)
        pen.oval(20.5 - 22.5j, 6, 8, shade, turn=0.5)
        return
    tip, long = complex(19 if look.mark != "hare" else 15, -20 - look.form), look.form
    pen.blob(
        [
            6 - 20j,
            complex(13 if look.mark != "hare" else 6, -22 - 0.6 * long),
            tip,
            tip + 4 + 0.14j * long,
            22 - 10j,
        ],
        shade,
    )
    pen.blob([10 - 18j, tip + complex(-4, 0.45 * long), tip + 0.14j * long, 18 - 14j], mix(light, fur, 0.4))
    pen.blob(
        [tip + complex(-3.4, 0.16 * long), tip, tip + complex(3.6, 0.16 * long), tip + 0.1j * long], dark
    )


def portrait(pen: Pen, look: Look) -> None:
    """Draw a mammal's face from the front. Tints: fur, light, dark, iris; form: length of the ears."""
    fur, light, dark, iris = look.tints
    mask, hare, shade = look.mark == "mask", look.mark == "hare", mix(fur, _BLACK, 0.18)
    pen = pen.moved(13j if hare else 2j, 0.95 if hare else 1.05)
    pen.blob("-34,110 -30,34 -14,14 14,14 30,34 34,110", shade)
    pen.blob("-15,110 -15,30 0,18 15,30 15,110", dark if mask else light)
    for half in pen.both():
        _ear(half, look, shade)
    if hare:
        pen.blob("0,-25 14,-22 23,-6 23,8 13,21 0,25 -13,21 -23,8 -23,-6 -14,-22", fur)
    else:
        pen.blob("0,-28 17,-23 29,-2 30,9 10,22 0,26 -10,22 -30,9 -29,-2 -17,-23", fur)
    for half in pen.both():
        if mask:
            half.blob("6,6 13,2 26,4 22,13 8,23", light, relief=0.12)
            half.oval(12 - 15j, 5.5, 3.5, light, turn=-0.5, relief=0.1)
            half.stroke("11,0 15,8 13,20", 5.5, mix(fur, dark, 0.35), end=3)
        elif hare:
            half.oval(14 - 5j, 8.5, 7, mix(light, fur, 0.35), turn=0.4, relief=0.08)
            half.oval(6.5 + 16j, 9, 7, light, relief=0.1)
        else:
            half.blob("1,5 10,4 29,7 21,14 6,24 1,24", light, relief=0.12)
        half.eye((14.5 if hare else 12) - 4.5j, 4.8 if hare else 3.8, iris)
    pen.blob("0,-4 6,8 7,18 0,24 -7,18 -6,8", light if mask else mix(fur, light, 0.35), relief=0.12)
    pen.blob("-5,10 5,10 0,15.5", mix(dark, (190, 120, 110), 0.5) if hare else _BLACK)
    pen.stroke("0,15 0,18.5", 0.8, _BLACK)
    pen.stroke("-5,19.5 -2,20.5 0,18.5 2,20.5 5,19.5", 0.8, _BLACK)
    for half in pen.both():
        for row in range(3):
            root = complex(6, 14 + 2 * row)
            half.stroke(
                [root, root + complex(12, 2 * row - 1), root + complex(22, 3 * row)],
                0.5,
                mix(_WHITE, fur, 0.2),
            )


def fish(pen: Pen, look: Look) -> None:
    """Draw fishes. Tints: body, belly, fins; form: height of the body; mark: shoal (more of them)."""
    places = [(2 + 2j, 1.0)]
    if look.mark == "shoal":
        places = [(-24 - 34j, 0.42), (26 + 35j, 0.38), (-30 + 32j, 0.34), *places]
    for at, scale in places:
        one = pen.moved(at, scale * pen.about(1, 0.06), pen.dice.uniform(-0.15, 0.15))
        _one_fish(one, look, look.form)


def _one_fish(pen: Pen, look: Look, high: float) -> None:
    """Draw a fish from the side, ``high`` from the middle to the back."""
    body, belly, fins = look.tints

    def stretched(text: str) -> list[complex]:
        """Read an outline whose heights are shares of the body's, in hundredths."""
        pairs = (pair.split(",") for pair in text.split())
        return [complex(float(x), float(y) * high / 100) for x, y in pairs]

    ray = mix(fins, _BLACK, 0.25)
    pen.blob("-20,0 -34,-15 -45,-19 -40,0 -45,19 -34,13", fins)
    pen.blob(stretched("14,-70 2,-135 -18,-118 -23,-40"), fins)
    pen.blob(stretched("2,70 -8,130 -22,105 -20,40"), fins)
    for spine in range(5):
        pen.stroke([-25 + 0j, complex(-39, 6 * spine - 12)], 0.6, ray)
        pen.stroke(stretched(f"{8 - 6 * spine},-60 {2 - 5 * spine},-118"), 0.6, ray)
    pen.blob(stretched("37,6 26,-62 6,-100 -14,-60 -27,-18 -27,18 -14,60 6,100 26,66"), body, relief=0.3)
    pen.blob(stretched("30,25 16,82 -2,84 -20,30 5,50"), belly, alpha=120)
    for row in range(5):
        for column in range(5 - row % 2):
            x, y = -17 + 6.5 * column + 3.2 * (row % 2), (-52 + 26 * row) * high / 100
            pen.stroke(
                [complex(x, y - 2.8), complex(x + 2, y), complex(x, y + 2.8)], 0.5, mix(body, _BLACK, 0.22)
            )
    pen.stroke(stretched("21,-50 15,0 20,55"), 1, mix(body, _BLACK, 0.35))
    pen.blob("12,5 0,3 -6,11 2,14", mix(fins, _WHITE, 0.15))
    pen.stroke(stretched("36.5,14 31,30"), 0.9, mix(body, _BLACK, 0.5))
    pen.oval(complex(26, -0.2 * high), 3.6, 3.6, _WHITE, relief=0)
    pen.eye(complex(26.3, -0.2 * high), 2.5)


def frog(pen: Pen, look: Look) -> None:
    """Draw a frog, from the front. Tints: skin, belly, blotches."""
    skin, belly, blotch = look.tints
    pen = pen.moved(-3j, 1.1)
    dark = mix(skin, _BLACK, 0.12)
    pen.shadow(34j, 44, 7)
    for half in pen.both():
        half.blob("16,2 34,-4 42,12 35,29 14,30", dark)
        for toe in (22, 31, 40):
            half.stroke([27 + 28j, complex(toe, 34)], 3, dark, end=1.8)
    pen.blob("0,-16 20,-10 27,10 20,30 0,34 -20,30 -27,10 -20,-10", skin)
    pen.blob("0,4 17,8 16,27 0,32 -16,27 -17,8", belly, relief=0.12)
    for half in pen.both():
        half.stroke("19,8 18,22 13,33", 7.5, skin, end=5)
        for toe in (5, 11, 17, 21):
            half.stroke([13 + 33j, complex(toe, 37.5)], 2.6, skin, end=1.6)
    pen.blob("0,-24 17,-22 29,-7 25,5 0,10 -25,5 -29,-7 -17,-22", skin)
    for _ in range(12):
        at = complex(pen.dice.uniform(-18, 18), pen.dice.uniform(-21, -10))
        pen.oval(at, pen.about(2, 0.4), 1.3, blotch, relief=0.1)
    pen.stroke("-26,-1 -12,4.5 0,3 12,4.5 26,-1", 1.1, mix(skin, _BLACK, 0.6))
    for half in pen.both():
        half.blob("20,-14 29,-7 26,-2 21,-6", mix(blotch, _BLACK, 0.3), relief=0)
        half.oval(18 - 21j, 8.5, 8.5, skin)
        half.oval(18.5 - 21.5j, 6, 6, colour("#d9b24a"), relief=0.15)
        half.oval(18.5 - 21.5j, 4.5, 2.6, _BLACK, relief=0)
        half.oval(3.5 - 6j, 0.8, 0.6, mix(skin, _BLACK, 0.6), relief=0)
        half.oval(17 - 23.5j, 1.2, 1.2, _WHITE, relief=0)


def salamander(pen: Pen, look: Look) -> None:
    """Draw a salamander, from above. Tints: skin, spots."""
    skin, spots = look.tints
    pen = pen.moved(1 - 1j, 1.25, pen.dice.uniform(0.5, 1.1))
    dice, sway = pen.dice, pen.dice.uniform(5, 11)
    spine = [
        complex(x * sway / 8, y)
        for x, y in ((0, -26), (0, -14), (-4, 0), (0, 14), (9, 26), (8, 38), (-4, 46))
    ]
    for leg, (root, knee, foot) in enumerate(((-12, 13, 19), (-12, 13, 19), (13, 11, 17), (13, 11, 17))):
        half = pen.both()[leg % 2]
        toes = complex(foot, root + (-8 if root < 0 else 9))
        half.stroke([complex(0, root), complex(knee, root + dice.uniform(-2, 2)), toes], 5.2, skin, end=3.6)
        for toe in (-3, 0, 3):
            half.stroke([toes, toes + complex(3, toe)], 1.6, skin)
    pen.stroke([p + 1.5 + 1j for p in spine], 13, mix(skin, (90, 80, 70), 0.3), end=2)
    pen.stroke(spine, 13, skin, end=2)
    pen.blob("0,-43 7,-38 7.5,-29 0,-24 -7.5,-29 -7,-38", skin, relief=0.4)
    for step in range(22):
        along = step / 22 * (len(spine) - 1)
        at, after = spine[int(along)], spine[int(along) + 1]
        off = (after - at) / abs(after - at) * 1j * (3.2 if step % 2 else -3.2) * (1 - step / 28)
        size = 1 - step / 34
        pen.oval(
            at + (after - at) * (along % 1) + off, pen.about(2.5 * size, 0.3), 2.1 * size, spots, relief=0.14
        )
    for half in pen.both():
        half.oval(4.4 - 33j, 2, 3.4, spots, turn=-0.3, relief=0.1)
        half.eye(5.6 - 37j, 1.7)


def turtle(pen: Pen, look: Look) -> None:
    """Draw a swimming turtle, from above. Tints: shell, seams, skin."""
    shell, seam, skin = look.tints
    pen = pen.moved(3j, 1.05, pen.dice.uniform(0.4, 1.2))
    for half in pen.both():
        half.blob("11,-18 20,-27 38,-25 48,-6 34,-12 19,-7", skin)
        half.blob("8,22 19,30 24,42 15,40 5,30", skin)
        for _ in range(7):
            spot = complex(half.dice.uniform(20, 36), half.dice.uniform(-22, -14))
            half.oval(spot, 1.6, 1.3, mix(skin, _BLACK, 0.35), relief=0)
    pen.blob("-6,-20 -8,-34 -4,-45 4,-45 8,-34 6,-20", skin)
    for at in (-36 + 0j, -40 + 3j, -40 - 3j, -31 + 4j, -31 - 4j):
        pen.oval(at * 1j, 1.8, 1.6, mix(skin, _BLACK, 0.35), relief=0)
    for half in pen.both():
        half.eye(5.6 - 39j, 1.7)
    pen.blob("0,-27 17,-20 23,2 14,26 0,36 -14,26 -23,2 -17,-20", mix(shell, seam, 0.65))
    for half in pen.both():
        for rib in (
            "9,-22 16,-17 18,-8 9,-9",
            "9,-7 19,-6 20,4 10,4",
            "9,6 20,6 17,16 8,15",
            "7,17 16,18 11,25 5,24",
        ):
            half.blob(rib, shell, relief=0.32, soft=False)
    for plate in ("-5,-24 5,-24 8,-15 5,-9 -5,-9 -8,-15", "-5,-7 5,-7 9,-1 5,5 -5,5 -9,-1"):
        pen.blob(plate, shell, relief=0.32, soft=False)
    for plate in ("-5,7 5,7 8,12 4,18 -4,18 -8,12", "-4,20 4,20 5,25 0,32 -5,25"):
        pen.blob(plate, shell, relief=0.32, soft=False)
