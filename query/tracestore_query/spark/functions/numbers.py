"""Operators and functions of numbers."""

from __future__ import annotations

from typing import Final

from tracestore_query.spark.calls import Builder, Call, converted, template
from tracestore_query.spark.functions.nested_orders import is_nested
from tracestore_query.spark.functions.rounding import rounded, to_whole, truncated
from tracestore_query.spark.functions.texts import joined_lists
from tracestore_query.spark.types import FLOATS, INTEGERS, TIMES


def _result(call: Call, sql: str) -> str:
    """Returns a number in the type that the engine gives it, where Spark may give another."""
    same = all(each.type == call.type for each in call.arguments)
    if same and call.type.name in {"INTEGER", "BIGINT", "DOUBLE"}:
        return sql
    return f"CAST({sql} AS {call.type.spark})"


def _operator(sign: str) -> Builder:
    def build(call: Call) -> str:
        if not all(each.type.is_number for each in call.arguments):
            raise call.refused("of these types", "convert to numbers first")
        if len(call.arguments) == 1:
            return _result(call, f"({sign}{call[0]})")
        return _result(call, f"({call[0]} {sign} {call[1]})")

    return build


def plus(call: Call) -> str:
    """Returns a sum, of numbers or of a time and an interval, or two lists as one."""
    names = [each.type.name for each in call.arguments]
    if all(each.type.is_number for each in call.arguments):
        return _operator("+")(call)
    if all(each.type.is_list for each in call.arguments):
        return joined_lists(call)
    if names[0] == "DATE" and names[1] in INTEGERS:
        return f"date_add({call[0]}, CAST({call[1]} AS INT))"
    if names[0] in TIMES and names[1] == "INTERVAL":
        return f"CAST(CAST({call[0]} AS {call.type.spark}) + {call[1]} AS {call.type.spark})"
    if names[0] == "INTERVAL" and names[1] in TIMES:
        return f"CAST(CAST({call[1]} AS {call.type.spark}) + {call[0]} AS {call.type.spark})"
    raise call.refused(f"of {' and '.join(names)}", "convert to numbers or times first")


def minus(call: Call) -> str:
    """Returns a difference, of numbers or of a time and an interval."""
    names = [each.type.name for each in call.arguments]
    if all(each.type.is_number for each in call.arguments):
        return _operator("-")(call)
    if names[0] == "DATE" and names[1] in INTEGERS:
        return f"date_sub({call[0]}, CAST({call[1]} AS INT))"
    if names == ["DATE", "DATE"]:
        return f"CAST(datediff({call[0]}, {call[1]}) AS BIGINT)"
    if names[0] in TIMES and names[1:] == ["INTERVAL"]:
        return f"CAST(CAST({call[0]} AS {call.type.spark}) - {call[1]} AS {call.type.spark})"
    raise call.refused(f"of {' and '.join(names)}", "subtract epoch_us(...) of both")


def _divide(call: Call) -> str:
    """Returns a quotient of doubles; by zero it is infinite, as IEEE has it."""
    if call.type.name in INTEGERS:
        return _divide_whole(call)
    if call.type.name not in FLOATS:
        raise call.refused(f"of {call.type.name}", "convert to DOUBLE first")

    def quotient(by: str) -> str:
        # An inverse has the sign of the zero that it is of.
        by_zero = f"CAST({call[0]} * power({by}, -1D) AS {call.type.spark})"
        return f"IF({by} = 0, {by_zero}, {call[0]} / {by})"

    return call.let(1, quotient)


def _divide_whole(call: Call) -> str:
    """Returns a whole quotient; by zero it is an error in both."""
    if call.type.name not in INTEGERS:
        raise call.refused(f"of {call.type.name}", "divide with / and round")
    return f"CAST({call[0]} DIV {call[1]} AS {call.type.spark})"


def _remainder(call: Call) -> str:
    """Returns a remainder; by zero that of integers is an error in both."""
    if call.type.name in INTEGERS:
        return f"CAST({call[0]} % {call[1]} AS {call.type.spark})"
    if call.type.name not in FLOATS:
        raise call.refused(f"of {call.type.name}", "convert to DOUBLE first")
    otherwise = f"IF({call[0]} IS NULL, NULL, {call.type.spark}('NaN'))"
    return call.let(
        1, lambda by: f"IF({by} = 0, {otherwise}, CAST({call[0]} % {by} AS {call.type.spark}))"
    )


def _power(call: Call) -> str:
    """Returns a power: of one it is one, whatever the exponent, as C has it."""

    def made(base: str, exponent: str) -> str:
        one = f"{base} = 1D OR ({base} = -1D AND abs({exponent}) = double('Infinity'))"
        return f"IF({exponent} IS NOT NULL AND ({one}), 1D, power({base}, {exponent}))"

    return call.let(0, lambda base: call.let(1, lambda exponent: made(base, exponent)))


def _sign(call: Call) -> str:
    if call.arguments[0].type.name not in FLOATS:
        return f"CAST(signum({call[0]}) AS {call.type.spark})"
    return call.let(0, lambda x: f"CAST(IF(isnan({x}), 0D, signum({x})) AS {call.type.spark})")


def _bits_of(call: Call) -> str:
    """Returns how many bits are set, of a negative integer in its own width."""
    widths = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32}
    width = widths.get(call.arguments[0].type.name)
    if width is None:
        if call.arguments[0].type.name != "BIGINT":
            raise call.refused("of this type", "convert to BIGINT first")
        return f"CAST(bit_count({call[0]}) AS {call.type.spark})"
    mask = f"{2**width - 1}L"
    return f"CAST(bit_count(CAST({call[0]} AS BIGINT) & {mask}) AS {call.type.spark})"


def _of_double(text: str) -> Builder:
    def build(call: Call) -> str:
        if call.arguments[0].type.name not in FLOATS:
            raise call.refused("of what is no double", "convert to DOUBLE first")
        return call.let(0, lambda x: f"IF({x} IS NULL, NULL, {text.format(x)})")

    return build


def _bits(sign: str) -> Builder:
    """Returns an operation on bits; what Spark holds as decimals has at most 63."""
    return lambda call: (
        f"CAST((CAST({call[0]} AS BIGINT) {sign} CAST({call[1]} AS BIGINT)) AS {call.type.spark})"
    )


def _logarithm(base: str) -> Builder:
    def build(call: Call) -> str:
        function, at = base, len(call.arguments) - 1
        if at == 1:
            known = {2: "log2", 10: "log10"}
            given = call.constant(0)
            if given not in known:
                raise call.refused("to this base", "divide ln of the number by ln of the base")
            function = known[given]
        return call.let(
            at,
            lambda x: (
                f"CASE WHEN {x} = 0 THEN double('-Infinity') WHEN {x} < 0 THEN double('NaN') "
                f"ELSE {function}({x}) END"
            ),
        )

    return build


def _best(name: str) -> Builder:
    def build(call: Call) -> str:
        if is_nested(call.type):
            raise call.refused("of lists or structs", "compare them with CASE")
        return f"{name}({', '.join(call.texts)})" if len(call.texts) > 1 else call[0]

    return build


NUMBERS: Final[dict[str, Builder]] = {
    "+": plus,
    "add": plus,
    "-": minus,
    "subtract": minus,
    "*": _operator("*"),
    "multiply": _operator("*"),
    "/": _divide,
    "divide": _divide,
    "//": _divide_whole,
    "%": _remainder,
    "mod": _remainder,
    "**": _power,
    "^": _power,
    "pow": _power,
    "power": _power,
    "abs": converted("abs({0})"),
    "@": converted("abs({0})"),
    "ceil": to_whole("ceil"),
    "ceiling": to_whole("ceil"),
    "floor": to_whole("floor"),
    "trunc": truncated,
    "round": rounded,
    "sqrt": template("sqrt({0})"),
    "cbrt": template("cbrt({0})"),
    "exp": template("exp({0})"),
    "ln": _logarithm("ln"),
    "log": _logarithm("log10"),
    "log10": _logarithm("log10"),
    "log2": _logarithm("log2"),
    "sign": _sign,
    "pi": template("pi()"),
    "sin": template("sin({0})"),
    "cos": template("cos({0})"),
    "tan": template("tan({0})"),
    "asin": template("asin({0})"),
    "acos": template("acos({0})"),
    "atan": template("atan({0})"),
    "atan2": template("atan2({0}, {1})"),
    "degrees": template("degrees({0})"),
    "radians": template("radians({0})"),
    "greatest": _best("greatest"),
    "least": _best("least"),
    "isnan": _of_double("isnan({0})"),
    "isinf": _of_double("(abs({0}) = double('Infinity'))"),
    "isfinite": _of_double("(abs({0}) < double('Infinity') AND NOT isnan({0}))"),
    "&": _bits("&"),
    "|": _bits("|"),
    "xor": _bits("^"),
    "~": template("(~{0})"),
    "bit_count": _bits_of,
}
