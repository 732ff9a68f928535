"""Lists the known wrong procedures of school mathematics, each of which can be carried out to give a distractor.

The templates are ours, the wrong rules are those of the mathematics-education literature named in each topic, and no
text of the competition is here.
"""

from training.synthesis.malrules import (
    algebra_expressions,
    angles,
    area_and_perimeter,
    averages,
    clock_times,
    coordinates,
    decimal_numbers,
    equations,
    fraction_arithmetic,
    fraction_meaning,
    indices,
    negative_numbers,
    number_properties,
    order_of_operations,
    percentages,
    probability,
    pythagoras,
    ratio,
    rounding,
    sequences,
    volume_and_units,
    written_methods,
)

TEMPLATES = (
    *order_of_operations.TEMPLATES,
    *negative_numbers.TEMPLATES,
    *written_methods.TEMPLATES,
    *number_properties.TEMPLATES,
    *rounding.TEMPLATES,
    *fraction_meaning.TEMPLATES,
    *fraction_arithmetic.TEMPLATES,
    *decimal_numbers.TEMPLATES,
    *percentages.TEMPLATES,
    *ratio.TEMPLATES,
    *indices.TEMPLATES,
    *algebra_expressions.TEMPLATES,
    *equations.TEMPLATES,
    *sequences.TEMPLATES,
    *coordinates.TEMPLATES,
    *angles.TEMPLATES,
    *pythagoras.TEMPLATES,
    *area_and_perimeter.TEMPLATES,
    *volume_and_units.TEMPLATES,
    *clock_times.TEMPLATES,
    *averages.TEMPLATES,
    *probability.TEMPLATES,
)

# A misconception's id is its place here; a new one goes to the end of the last topic, or the ids after it move.
MISCONCEPTIONS = tuple(dict.fromkeys(name for template in TEMPLATES for name in template.rules))
