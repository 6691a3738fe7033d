"""Functions that a statement may call: those that the parser knows by meaning, and these, which it takes for unknown.

Whatever else an engine has is refused, also what a later release of it brings: some run code, read files, tell of the
machine, or give the text of a view, in which the key of the pseudonyms stands (`pg_get_viewdef`).
"""

from __future__ import annotations

from sqlglot.dialects import DuckDB, Spark

_PARSERS = {"duckdb": DuckDB.Parser, "spark": Spark.Parser}

# Functions of DuckDB and Spark that compute from their arguments alone.
_OTHERS = """
    age aggregate ago apply approx_percentile arbitrary arg_max_null arg_min_null array_aggr array_aggregate
    array_apply array_extract array_grade_up array_has_any array_indexof array_pop_back array_pop_front
    array_push_back array_push_front array_reduce array_repeat array_resize array_select array_to_json
    array_transform array_union array_unique array_value array_where array_zip arrays_overlap bar base64 bigint
    bin binary bit_count bit_position bitmap_and_agg bitstring bitstring_agg broadcast bround btrim bucket
    cardinality century constant_or_null conv count_distinct count_if count_min_sketch count_star crc32
    damerau_levenshtein date_part date_sub datepart datesub days days_in_month decade decimal divide e element_at
    entropy epoch_ns epoch_us equi_width_bins era even every expm1 favg fdiv find_in_set fmod forall format_bytes
    format_number formatreadabledecimalsize formatreadablesize from_binary from_csv from_json_strict fsum gamma
    gcd generate_series generate_subscripts geomean geometric_mean get get_current_timestamp get_type grade_up
    greatest_common_divisor hamming hash histogram histogram_exact histogram_numeric hll_sketch_agg
    hll_sketch_estimate hll_union hll_union_agg hours hypot inline inline_outer is_valid_utf8 is_variant_null
    isfinite isnotnull isnull isoyear jaccard jaro_similarity json_array_length json_contains json_each
    json_exists json_group_array json_group_object json_group_structure json_merge_patch json_object json_pretty
    json_quote json_structure json_transform json_transform_strict json_tree json_tuple json_valid json_value
    julian kahan_sum kurtosis_pop lcm least_common_multiple left_grapheme length_grapheme lgamma list_aggr
    list_aggregate list_any_value list_apply list_approx_count_distinct list_avg list_bit_and list_bit_or
    list_bit_xor list_bool_and list_bool_or list_cat list_cosine_similarity list_count list_dot_product
    list_element list_entropy list_extract list_first list_grade_up list_has_all list_histogram list_indexof
    list_intersect list_kurtosis list_last list_mad list_median list_mode list_pack list_position list_product
    list_reduce list_resize list_reverse list_select list_sem list_skewness list_slice list_stddev_pop
    list_stddev_samp list_string_agg list_sum list_unique list_var_pop list_var_samp list_where list_zip listagg
    log1p luhn_check mad make_date make_dt_interval make_time make_timestamp_ltz make_timestamp_ms
    make_timestamp_ns make_timestamp_ntz make_timestamptz make_valid_utf8 make_ym_interval map_concat
    map_contains map_contains_entry map_contains_value map_entries map_extract map_extract_value map_filter
    map_values map_zip_with mask md5_number mean microsecond millennium millisecond mismatches mod
    monotonically_increasing_id months multiply nanosecond negate negative nextafter nfc_normalize now nullifzero
    octet_length ord percentile percentile_approx pg_typeof pmod position positive prefix printf product quote
    range regexp regexp_escape regexp_split_to_array regexp_split_to_table reservoir_quantile right_grapheme
    round_even roundbankers row row_to_json schema_of_csv schema_of_json schema_of_variant sem sentences
    session_window set_bit shiftrightunsigned signbit smallint some stack std string_agg strip_accents strlen
    struct_concat struct_extract_at struct_has struct_insert struct_keys struct_update struct_values
    substring_grapheme subtract suffix sum_distinct sumkahan switch timestamp_micros timestamp_millis
    timestamp_seconds timezone timezone_hour timezone_minute tinyint to_base to_centuries to_csv to_days
    to_decades to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
    to_seconds to_time to_timestamp_ltz to_timestamp_ntz to_varchar to_variant_object to_weeks to_years
    transaction_timestamp transform_keys transform_values try_avg try_make_interval try_make_timestamp try_mod
    try_parse_json try_parse_url try_strptime try_sum try_to_binary try_to_date try_to_number try_to_time
    try_to_timestamp try_url_decode try_variant_get unbin union_extract union_tag union_value url_decode
    url_encode uuidv4 uuidv7 variant_get wavg weekday weighted_avg window window_time xxhash64 years yearweek
    zeroifnull zip_with
"""
_PLAIN = frozenset(_OTHERS.split())
# Those that give rows, and may stand where a table does.
ROWS = frozenset({
    "explode", "explode_outer", "generate_series", "inline", "inline_outer", "json_each", "json_tree", "json_tuple",
    "posexplode", "posexplode_outer", "range", "stack", "unnest",
})  # fmt: skip


def is_allowed(name: str, dialect: str) -> bool:
    """Whether a function of that name may be called."""
    return name.lower() in _PLAIN or name.upper() in _PARSERS[dialect].FUNCTIONS
