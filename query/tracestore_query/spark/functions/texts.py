"""Functions of texts and of bytes."""

from __future__ import annotations

import re
from typing import Final

from tracestore_query.spark.calls import Builder, Call, converted, template
from tracestore_query.spark.functions.regular_expressions import (
    java_pattern,
    java_replacement,
    refuse_empty_matches,
)
from tracestore_query.spark.names import text

_GROUPS: Final = re.compile(r"(?<!\\)\((?!\?)")
_SPACES: Final = " \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
"""What the engine trims: the spaces of Unicode, not tabs nor ends of lines."""

_LOWER: Final = "lower(replace({0}, 'Σ', 'σ'))"  # noqa: RUF001 - letters of Greek
"""Lower letters: Java has another sigma at the end of a word."""

_UPPER: Final = "upper(replace({0}, 'ß', 'ẞ'))"
"""Capital letters: Java has two for a sharp s."""

_NO_ESCAPE: Final = "\\u0001"
"""What stands for no escape of LIKE: Spark has a backslash where the engine has none."""


def _length(call: Call) -> str:
    if call.arguments[0].type.is_list:
        return f"CAST(array_size({call[0]}) AS BIGINT)"
    if call.arguments[0].type.name == "MAP":
        return f"CAST(cardinality({call[0]}) AS BIGINT)"
    if call.arguments[0].type.name == "BLOB":
        return f"CAST(octet_length({call[0]}) AS BIGINT)"
    return f"CAST(char_length({call[0]}) AS BIGINT)"


def _concat(call: Call) -> str:
    """Returns texts as one, without those that are NULL; lists likewise."""
    if any(each.type.is_list for each in call.arguments):
        return joined_lists(call)
    if any(each.type.name != "VARCHAR" for each in call.arguments):
        raise call.refused("of what is no text", "cast to VARCHAR first")
    return f"concat_ws('', {', '.join(call.texts)})"


def joined_lists(call: Call) -> str:
    """Returns lists as one; NULL is an empty one."""
    empty = f"CAST(array() AS {call.type.spark})"
    lists = [f"coalesce({each.sql}, {empty})" for each in call.arguments]
    if any(not each.type.is_list for each in call.arguments):
        raise call.refused("of lists and others", "make lists of all")
    return f"concat({', '.join(lists)})"


def added_lists(call: Call) -> str:
    """Returns lists as one by an operator: NULL where one is NULL."""
    some = " OR ".join(f"{each} IS NULL" for each in call.texts)
    return f"IF({some}, NULL, {joined_lists(call)})"


def _operator_concat(call: Call) -> str:
    if any(each.type.is_list for each in call.arguments):
        return added_lists(call)
    if any(each.type.name not in {"VARCHAR", "BLOB"} for each in call.arguments):
        raise call.refused("of what is no text", "cast to VARCHAR first")
    return f"({call[0]} || {call[1]})"


def _like(word: str, *, negated: bool = False) -> Builder:
    def build(call: Call) -> str:
        escape, pattern = _NO_ESCAPE, call[1]
        if len(call.arguments) > 2:
            given = str(call.constant(2) or "")
            if len(given) != 1:
                raise call.refused("without an escape of one letter", "give one letter")
            if word == "ILIKE" and given.lower() != given.upper():
                raise call.refused("with a letter as its escape", "use a sign that has no case")
            escape = text(given)[1:-1]
            pattern = _escaping_wildcards(
                f"lower({pattern})" if word == "ILIKE" else pattern, given
            )
        made = f"({call[0]} {word} {pattern} ESCAPE '{escape}')"
        return f"(NOT {made})" if negated else made

    return build


def _escaping_wildcards(pattern: str, escape: str) -> str:
    """Returns a pattern without the escapes of letters that are no wildcards, which Spark does not take."""
    letter = re.escape(escape)
    found = f"(?s)({letter}[{letter}_%])|{letter}(?=.)"
    return f"regexp_replace({pattern}, {text(found)}, '$1')"


def _pattern(call: Call, options_at: int) -> str:
    options = ""
    if len(call.arguments) > options_at:
        options = str(call.constant(options_at) or "")
    return java_pattern(str(call.constant(1)), options)


def _matches(call: Call) -> str:
    if call.constant(1) is None:
        return "CAST(NULL AS BOOLEAN)"
    return f"({call[0]} RLIKE {text(_pattern(call, 2))})"


def _matches_whole(call: Call) -> str:
    if call.constant(1) is None:
        return "CAST(NULL AS BOOLEAN)"
    return f"({call[0]} RLIKE {text(chr(92) + 'A(?:' + _pattern(call, 2) + ')' + chr(92) + 'z')})"


def _group(call: Call) -> int:
    if len(call.arguments) < 3:
        return 0
    group = call.constant(2)
    if not isinstance(group, int) or group > _GROUPS.subn("", str(call.constant(1)))[1]:
        raise call.refused("with names of groups, or more of them", "give the number of one group")
    return group


def _extract(call: Call) -> str:
    return f"regexp_extract({call[0]}, {text(_pattern(call, 3))}, {_group(call)})"


def _extract_all(call: Call) -> str:
    refuse_empty_matches(str(call.constant(1)))
    return f"regexp_extract_all({call[0]}, {text(_pattern(call, 3))}, {_group(call)})"


def _replace_pattern(call: Call) -> str:
    options = str(call.constant(3) or "") if len(call.arguments) > 3 else ""
    pattern = java_pattern(str(call.constant(1)), options)
    replacement = str(call.constant(2))
    if "g" in options:
        refuse_empty_matches(str(call.constant(1)))
        return f"regexp_replace({call[0]}, {text(pattern)}, {text(java_replacement(replacement))})"
    # The first match alone: with what stands before it, as short as can be.
    first = f"\\A([\\s\\S]*?)(?:{pattern})"
    made = "$1" + java_replacement(replacement, shift=1).replace("$0", "\\$0")
    if "\\$0" in made:
        raise call.refused("with the whole match in the replacement", "put it into a group")
    return f"regexp_replace({call[0]}, {text(first)}, {text(made)})"


def _split(call: Call) -> str:
    separator = call.constant(1)
    if not separator:
        raise call.refused("without a separator", "give one")
    quoted = "\\Q" + str(separator).replace("\\E", "\\E\\\\E\\Q") + "\\E"
    return f"split({call[0]}, {text(quoted)}, -1)"


def _split_pattern(call: Call) -> str:
    if not call.constant(1):
        raise call.refused("without a pattern", "give one")
    refuse_empty_matches(str(call.constant(1)))
    return f"split({call[0]}, {text(_pattern(call, 2))}, -1)"


def _substring(call: Call) -> str:
    start = call.constant(1)
    if start is None:
        return "CAST(NULL AS STRING)"
    length = call.arguments[2] if len(call.arguments) > 2 else None
    if start < 1 and not (start < 0 and length is None):
        raise call.refused("that begins before the first letter", "count from 1")
    if length is None:
        if start < 0:
            # Of a shorter text the engine gives all of it.
            return f"substring({call[0]}, {int(start)})"
        return f"substring({call[0]}, {int(start)})"
    begin = int(start)

    def cut(count: str) -> str:
        # Below zero, the letters before the beginning are meant.
        first = f"greatest({begin} + {count}, 1)"
        before = f"substring({call[0]}, {first}, {begin} - {first})"
        return f"IF({count} < 0, {before}, substring({call[0]}, {begin}, {count}))"

    return call.scope.let(f"CAST({length.sql} AS INT)", cut)


def _repeated(call: Call) -> str:
    if call.arguments[0].type.name != "VARCHAR":
        raise call.refused("of what is no text", "make a text of it")
    return f"repeat({call[0]}, CAST({call[1]} AS INT))"


def _code(call: Call) -> str:
    return call.let(0, lambda x: f"IF({x} = '', -1, ascii({x}))")


def _end(name: str) -> Builder:
    def build(call: Call) -> str:
        count = call.constant(1)
        if count is not None and not 0 <= count < 2**31:
            raise call.refused("with such a number", "use substring")
        return f"{name}({call[0]}, CAST({call[1]} AS INT))"

    return build


def _trimmed(side: str) -> Builder:
    def build(call: Call) -> str:
        if len(call.arguments) == 1:
            return f"trim({side} {text(_SPACES)} FROM {call[0]})"
        return f"trim({side} {call[1]} FROM {call[0]})"

    return build


def _padded(name: str) -> Builder:
    return lambda call: f"{name}({call[0]}, CAST({call[1]} AS INT), {call[2]})"


TEXTS: Final[dict[str, Builder]] = {
    "length": _length,
    "len": _length,
    "char_length": _length,
    "character_length": _length,
    "strlen": converted("octet_length({0})"),
    "octet_length": converted("octet_length({0})"),
    "lower": template(_LOWER),
    "lcase": template(_LOWER),
    "upper": template(_UPPER),
    "ucase": template(_UPPER),
    "concat": _concat,
    "||": _operator_concat,
    "concat_ws": lambda call: f"concat_ws({', '.join(call.texts)})",
    "~~": _like("LIKE"),
    "!~~": _like("LIKE", negated=True),
    "~~*": _like("ILIKE"),
    "!~~*": _like("ILIKE", negated=True),
    "like_escape": _like("LIKE"),
    "not_like_escape": _like("LIKE", negated=True),
    "ilike_escape": _like("ILIKE"),
    "not_ilike_escape": _like("ILIKE", negated=True),
    "regexp_matches": _matches,
    "regexp_full_match": _matches_whole,
    "regexp_extract": _extract,
    "regexp_extract_all": _extract_all,
    "regexp_replace": _replace_pattern,
    "regexp_split_to_array": _split_pattern,
    "str_split_regex": _split_pattern,
    "string_split_regex": _split_pattern,
    "split": _split,
    "str_split": _split,
    "string_split": _split,
    "string_to_array": _split,
    "split_part": lambda call: f"split_part({call[0]}, {call[1]}, CAST({call[2]} AS INT))",
    "replace": template("replace({0}, {1}, {2})"),
    "reverse": template("reverse({0})"),
    "repeat": _repeated,
    "substring": _substring,
    "substr": _substring,
    "left": _end("left"),
    "right": _end("right"),
    "trim": _trimmed("BOTH"),
    "ltrim": _trimmed("LEADING"),
    "rtrim": _trimmed("TRAILING"),
    "lpad": _padded("lpad"),
    "rpad": _padded("rpad"),
    "instr": converted("instr({0}, {1})"),
    "strpos": converted("instr({0}, {1})"),
    "position": converted("instr({0}, {1})"),
    "prefix": template("startswith({0}, {1})"),
    "starts_with": template("startswith({0}, {1})"),
    "^@": template("startswith({0}, {1})"),
    "suffix": template("endswith({0}, {1})"),
    "ends_with": template("endswith({0}, {1})"),
    "translate": template("translate({0}, {1}, {2})"),
    "levenshtein": converted("levenshtein({0}, {1})"),
    "editdist3": converted("levenshtein({0}, {1})"),
    "md5": template("md5(encode({0}, 'UTF-8'))"),
    "sha1": template("sha1(encode({0}, 'UTF-8'))"),
    "sha256": template("sha2(encode({0}, 'UTF-8'), 256)"),
    "to_base64": template("base64({0})"),
    "base64": template("base64({0})"),
    "from_base64": template("unbase64({0})"),
    "encode": template("encode({0}, 'UTF-8')"),
    "decode": template("decode({0}, 'UTF-8')"),
    "ascii": converted("ascii({0})"),
    "unicode": _code,
    "ord": _code,
    "chr": template("chr({0})"),
}
