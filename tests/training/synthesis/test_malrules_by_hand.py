"""Checks a sample of the wrong rules against distractors worked out by hand."""

from fractions import Fraction

import pytest

from training.synthesis.malrules import TEMPLATES

BY_CONSTRUCT = {template.construct: template for template in TEMPLATES}

# construct, parameters, right answer, misconception, distractor; all worked out by hand
WORKED = [
    # 3 + 4 x 2: 4 x 2 = 8, 3 + 8 = 11; from the left 7 x 2 = 14; all added 9
    (
        "Carry out an addition followed by a multiplication",
        {"a": 3, "b": 4, "c": 2},
        r"\( 11 \)",
        {
            "Works strictly from left to right, ignoring the order of operations": r"\( 14 \)",
            "Adds every number in sight, whatever the signs say": r"\( 9 \)",
        },
    ),
    # 2 x 5²: 2 x 25 = 50; (2 x 5)² = 100; 2 x 10 = 20
    (
        "Carry out a calculation with a power",
        {"a": 2, "b": 5},
        r"\( 50 \)",
        {
            "Applies an index to everything on its left, not only to the base it is written on": r"\( 100 \)",
            "Multiplies the base by the index instead of raising it to that power": r"\( 20 \)",
        },
    ),
    # -7 - 3 = -10; two minuses 7 + 3
    (
        "Subtract a positive number from a negative number",
        {"a": 7, "b": 3},
        r"\( -10 \)",
        {"Believes that two minus signs anywhere in a calculation make the answer positive": r"\( 10 \)"},
    ),
    # 543 - 274 = 269; columns |5-2| |4-7| |3-4| = 3 3 1; 5-2, 14-7, 13-4 = 3 7 9; 3 0 0
    (
        "Subtract three-digit numbers with exchanging",
        {"a": 543, "b": 274},
        "269",
        {
            "Takes the smaller digit from the larger digit in every column": "331",
            "Exchanges ten for a column without reducing the column next to it": "379",
            "Writes zero in a column where the lower digit is the larger": "300",
        },
    ),
    # 46 x 8 = 368; 6 x 8 = 48, carry 4, (4 + 4) x 8 = 64, so 648; without the carry 32 and 8
    (
        "Multiply a two-digit number by a one-digit number",
        {"a": 46, "b": 8},
        "368",
        {
            "Adds the carried digit before multiplying the next column": "648",
            "Forgets to add on the carried digit in a multiplication": "328",
        },
    ),
    # 4672 to the nearest hundred is 4700; cut off 4600; 4672 with its 6 made a 7 is 4772
    (
        "Round a whole number to the nearest hundred",
        {"n": 4672},
        "4700",
        {
            "Rounds by cutting digits off, never rounding up": "4600",
            "Rounds one digit but leaves the digits after it as they were": "4772",
            "Leaves out the zeros that hold the place after rounding": "47",
        },
    ),
    # 3.7448 is 3.74 to 2 d.p.; 3.745 first, then 3.75
    (
        "Round a number to two decimal places",
        {"v": Fraction("3.7448")},
        "3.74",
        {"Rounds one digit after another, starting from the last": "3.75"},
    ),
    # 1/2 + 1/3 = 5/6; (1+1)/(2+3) = 2/5; (1+1)/6 = 1/3; 1/6
    (
        "Add fractions with different denominators",
        {"a": 1, "b": 2, "c": 1, "d": 3},
        r"\( \frac{5}{6} \)",
        {
            "Adds the numerators and the denominators when adding fractions": r"\( \frac{2}{5} \)",
            "Changes to a common denominator but leaves the numerators as they were": r"\( \frac{1}{3} \)",
            "Multiplies across when adding fractions": r"\( \frac{1}{6} \)",
        },
    ),
    # 2/3 : 3/7 = 2/3 x 7/3 = 14/9; 3/2 x 3/7 = 9/14
    (
        "Divide a fraction by a fraction",
        {"a": 2, "b": 3, "c": 3, "d": 7},
        r"\( \frac{14}{9} \)",
        {"Turns the first fraction upside down instead of the second when dividing": r"\( \frac{9}{14} \)"},
    ),
    # values .5 .35 .045 .1234; read whole 5 < 35 < 45 < 1234
    (
        "Put decimals with different numbers of places in order",
        {"listed": ("0.5", "0.35", "0.045", "0.1234")},
        "0.045, 0.1234, 0.35, 0.5",
        {
            "Believes that a decimal with more digits is larger, reading them as a whole number": (
                "0.5, 0.35, 0.045, 0.1234"
            ),
            "Believes that a decimal with fewer digits is larger": "0.1234, 0.045, 0.35, 0.5",
            "Ignores zeros straight behind the decimal point": "0.1234, 0.35, 0.045, 0.5",
        },
    ),
    # 3.7 + 2.85 = 6.55; 37 + 285 = 322; 3 + 2 = 5 and 7 + 85 = 92
    (
        "Add decimals with different numbers of places",
        {"v": Fraction("3.7"), "w": Fraction("2.85")},
        "6.55",
        {
            "Lines up the last digits instead of the decimal points": "3.22",
            "Adds the digits before and behind the point as two separate whole numbers": "5.92",
        },
    ),
    # 5 % of 300 = 15; 300 : 5 = 60; 300 - 5 = 295; 0.5 x 300 = 150
    (
        "Find a percentage of an amount",
        {"p": 5, "n": 300},
        "15",
        {
            "Divides by the number in front of the percent sign": "60",
            "Treats a percentage as an amount to add or take away": "295",
            "Turns a percentage into a decimal by dividing by ten": "150",
        },
    ),
    # 70 % of 300 is 210; 210 + 63 = 273
    (
        "Find the original amount before a percentage decrease",
        {"p": 30, "s": 210},
        "£300.00",
        {"Adds the percentage of the reduced amount to undo a percentage decrease": "£273.00"},
    ),
    # 6 people 90 g, so 15 g each, 150 g for 10; four more people, four more grams
    (
        "Scale a recipe up or down",
        {"a": 6, "b": 90, "c": 10},
        "150 g",
        {"Adds the same amount instead of scaling by the same factor": "94 g"},
    ),
    # 11⁴ x 11³ = 11⁷
    (
        "Multiply powers with the same base",
        {"a": 11, "m": 4, "n": 3},
        r"\( 11^{7} \)",
        {"Multiplies the indices when multiplying powers of the same base": r"\( 11^{12} \)"},
    ),
    # 7x + 9 + x = 8x + 9
    (
        "Simplify an expression by collecting like terms",
        {"a": 7, "b": 9},
        r"\( 8x+9 \)",
        {
            "Joins unlike terms into a single term": r"\( 17x \)",
            "Adds the powers of a letter when collecting like terms": r"\( 7x^{2}+9 \)",
        },
    ),
    # -2(p - 8) = -2p + 16
    (
        "Expand a bracket with a negative number in front",
        {"a": 2, "b": 8},
        r"\( -2p+16 \)",
        {"Multiplies only the first term in a bracket by what is outside": r"\( -2p-8 \)"},
    ),
    # (x + 5)² = x² + 10x + 25
    (
        "Square a bracket",
        {"a": 5},
        r"\( x^{2}+10x+25 \)",
        {"Squares each term of a bracket separately": r"\( x^{2}+25 \)"},
    ),
    # 8 + 4 = 7 + 5; "the answer" is 12
    (
        "Find a missing number that makes two sides equal",
        {"a": 8, "b": 4, "c": 5},
        r"\( 7 \)",
        {"Reads the equals sign as an instruction to write the answer next": r"\( 12 \)"},
    ),
    # 2, 11, 20, 29: tenth 2 + 9 x 9 = 83; fifth 38, doubled 76
    (
        "Find a later term of a linear sequence",
        {"a": 2, "d": 9, "listed": (2, 11, 20, 29)},
        "83",
        {"Doubles the fifth term to find the tenth": "76"},
    ),
    # (3, 5) to (15, 9): up 4, right 12
    (
        "Find the gradient of the line through two points",
        {"a": 3, "b": 5, "c": 15, "d": 9},
        r"\( \frac{1}{3} \)",
        {"Divides the horizontal change by the vertical change to find a gradient": r"\( 3 \)"},
    ),
    # back from 134: 134 + 180 = 314; 180 - 134 = 46
    (
        "Find a bearing back to the start",
        {"a": 134},
        "314°",
        {"Takes a bearing away from a half turn to turn back": "046°"},
    ),
    # 4 by 6: 24, around 20
    (
        "Find the area of a rectangle",
        {"a": 4, "b": 6},
        r"\( 24 \mathrm{~cm^{2}} \)",
        {"Finds the perimeter when asked for the area": r"\( 20 \mathrm{~cm^{2}} \)"},
    ),
    # 09:25 to 11:10: 1 h 45 min; 1110 - 925 = 185; 2 h and 25 - 10 = 15 min
    (
        "Find the time between two clock times",
        {"h": 9, "m": 25, "k": 11, "n": 10, "start": "09:25", "end": "11:10"},
        "1 h 45 min",
        {
            "Calculates with times as if an hour had a hundred minutes": "1 h 85 min",
            "Takes the smaller number of minutes from the larger, whichever comes first": "2 h 15 min",
        },
    ),
    # there and back at 40 and 60: 2 x 40 x 60 / 100 = 48
    (
        "Find an average speed over two equal distances",
        {"s": 40, "t": 60, "d": 240},
        "48 km/h",
        {"Averages two speeds without regard to the time spent at each": "50 km/h"},
    ),
    # 6 7 9 14 23 in order
    (
        "Find the median of an odd number of values",
        {"listed": (23, 14, 7, 9, 6)},
        "9",
        {"Takes the middle of a list without putting it in order": "7"},
    ),
    # 2 red, 3 blue, 5 green: 2/10; part to part 2/8
    (
        "Find the probability of a single event",
        {"a": 2, "b": 3, "c": 5},
        r"\( \frac{1}{5} \)",
        {"Compares a part with the other part instead of with the whole": r"\( \frac{1}{4} \)"},
    ),
    # a total of 7 on two dice: 6 of 36; as one of the 11 totals; {1,6} {2,5} {3,4} are 3 of 36
    (
        "Find the probability of a total on two dice",
        {"n": 6, "t": 7},
        r"\( \frac{1}{6} \)",
        {
            "Believes that all outcomes are equally likely, however they come about": r"\( \frac{1}{11} \)",
            "Counts two orders of the same two scores as one outcome": r"\( \frac{1}{12} \)",
        },
    ),
]


@pytest.mark.parametrize(("construct", "params", "right", "distractors"), WORKED, ids=[case[0] for case in WORKED])
def test_a_wrong_rule_gives_the_distractor_worked_out_by_hand(construct, params, right, distractors):
    template = BY_CONSTRUCT[construct]
    assert template.show(template.right(**params)) == right
    assert {name: template.show(template.rules[name](**params)) for name in distractors} == distractors
