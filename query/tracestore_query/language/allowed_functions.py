"""The functions a query may call: those that look at nothing but their arguments and the time.

A list of what is allowed, not of what is not: a later engine may bring functions that nobody here has judged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar

_Item = TypeVar("_Item")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGINE: Final = _names("""
    abs acos acosh add age aggregate ago any_value approx_count_distinct approx_quantile approx_top_k
    arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin
    ascii asin asinh atan atan2 atanh avg bar base64 bin bit_and bit_count bit_length bit_or bit_position bit_xor
    bitstring bitstring_agg bool_and bool_or cardinality cbrt ceil ceiling century char_length character_length
    chr concat concat_ws constant_or_null contains corr cos cosh cot count count_if count_star countif covar_pop
    covar_samp current_date current_localtime current_localtimestamp current_time current_timestamp
    damerau_levenshtein date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day
    dayname dayofmonth dayofweek dayofyear days_in_month decade decode degrees divide editdist3 element_at encode
    ends_with entropy epoch epoch_ms epoch_ns epoch_us equi_width_bins era even exp factorial favg fdiv filter
    first flatten floor fmod format formatreadabledecimalsize formatreadablesize format_bytes from_base64
    from_binary from_hex from_json from_json_strict fsum gamma gcd gen_random_uuid generate_series
    generate_subscripts geomean geometric_mean get_bit get_current_time get_current_timestamp grade_up greatest
    greatest_common_divisor group_concat hamming hash hex histogram histogram_exact hour if ilike_escape instr
    is_histogram_other_bin isfinite isinf isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity
    json julian kahan_sum kurtosis kurtosis_pop last last_day lcase lcm least least_common_multiple left
    left_grapheme len length length_grapheme levenshtein lgamma like_escape list listagg ln log log10 log2 lower
    lpad lttb ltrim mad make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz
    map max max_by md5 md5_number md5_number_lower md5_number_upper mean median microsecond millennium
    millisecond min min_by minute mismatches mod mode month monthname multiply nanosecond nextafter nfc_normalize
    normalized_interval not_ilike_escape not_like_escape now nullif octet_length ord overlay
    parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path pi position pow power prefix printf
    product quantile quantile_cont quantile_disc quarter radians random range reduce repeat replace
    reservoir_quantile reverse right right_grapheme set_bit
    round round_even roundbankers row row_to_json rpad rtrim second sem sha1 sha256 sign
    signbit sin sinh skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp str_split
    str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents strlen
    strpos strptime substr substring substring_grapheme subtract suffix sum sum_no_overflow sumkahan tan tanh
    time_bucket timezone timezone_hour timezone_minute to_base to_base64 to_binary to_centuries to_days
    to_decades to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months
    to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc
    try_strptime typeof ucase unbin unhex unicode unpivot_list upper url_decode url_encode uuid
    uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 var_pop var_samp variance wavg week weekday
    weekofyear weighted_avg xor year yearweek
""")
"""Names of scalar and aggregate functions of DuckDB."""

FAMILIES: Final = ("array_", "list_", "map_", "regexp_", "regr_", "struct_", "union_")
"""Prefixes whose functions all work on the values they are given."""

JSON: Final = _names("""
    json_array json_array_length json_contains json_deep_merge json_exists json_extract json_extract_path
    json_extract_path_text json_extract_string json_group_array json_group_object json_group_structure
    json_insert json_keys json_merge_patch json_object json_pretty json_quote json_remove json_replace json_set
    json_strip_nulls json_structure json_transform json_transform_strict json_type json_valid json_value
    array_to_json
""")

# Not listed by the engine as functions of these kinds, but called as such.
SYNTAX: Final = _names("""
    coalesce columns cume_dist dense_rank first_value grouping grouping_id if ifnull lag last_value lead match
    nth_value ntile nullif percent_rank rank row row_number search struct_pack try unnest
""")

TABLE_GENERATORS: Final = frozenset({"unnest", "range", "generate_series"})
"""Table functions that make rows of their arguments alone."""


def allowed(listed: Collection[str]) -> frozenset[str]:
    """Returns the functions that queries may call.

    Args:
        listed: names of the engine's scalar, aggregate and window functions.
    """
    known = ENGINE | JSON | SYNTAX
    lowered = {name.lower() for name in listed}
    return SYNTAX | {name for name in lowered if name in known or name.startswith(FAMILIES)}


class AskedNames(AbstractSet[str]):
    """A set of names that are asked for when one is first looked up: a query that calls nothing does without them.

    Args:
        ask: gives the names, the same each time.
    """

    def __init__(self, ask: Callable[[], AbstractSet[str]]) -> None:
        self._ask = ask

    @functools.cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._ask())

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @classmethod
    def _from_iterable(cls, it: Iterable[_Item]) -> AbstractSet[_Item]:
        return frozenset(it)
