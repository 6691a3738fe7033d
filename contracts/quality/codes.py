"""How codes of American claims are formed, as Spark SQL conditions; NULL in, NULL out.

Sources: ICD-10-CM and ICD-9-CM official guidelines (CDC/NCHS), ICD-10-PCS and MS-DRG (CMS), HCPCS and CPT (CMS, AMA), NDC in
the 11-digit form of HIPAA (5-4-2), NPI with its check digit (45 CFR 162.406; ISO/IEC 7812 with the prefix 80840), place of
service (CMS), type of bill, revenue centre, discharge status, admission type and point of origin (NUBC UB-04).
"""

from __future__ import annotations

ICD10_CM = "[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}"
ICD9_CM = "(?:[0-9]{3}|V[0-9]{2})[0-9]{0,2}|E[0-9]{3}[0-9]?"
ICD10_PCS = "[0-9A-HJ-NP-Z]{7}"
ICD9_PCS = "[0-9]{3,4}"

PLACES_OF_SERVICE = (
    *(f"{code:02d}" for code in range(1, 28)), "31", "32", "33", "34", "41", "42", "49", "50", "51", "52", "53", "54",
    "55", "56", "57", "58", "60", "61", "62", "65", "66", "71", "72", "81", "99",
)  # fmt: skip
DISCHARGE_STATUSES = (
    "01", "02", "03", "04", "05", "06", "07", "09", "20", "21", "30", "40", "41", "42", "43", "50", "51", "61", "62",
    "63", "64", "65", "66", "69", "70", *(str(code) for code in range(81, 96)),
)  # fmt: skip
ADMIT_TYPES = ("1", "2", "3", "4", "5", "9")
ADMIT_SOURCES = ("1", "2", "4", "5", "6", "8", "9", "D", "E", "F", "G")
DUAL_STATUSES = ("00", "01", "02", "03", "04", "05", "06", "08", "09", "10", "99", "NA")
MEDICARE_STATUSES = ("10", "11", "20", "21", "31", "40")
ENTITLEMENT_REASONS = ("0", "1", "2", "3")
STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME",
    "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI",
    "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "PR", "GU", "VI", "AS", "MP", "AA", "AE", "AP",
)  # fmt: skip


def matches(column: str, pattern: str) -> str:
    """The whole value is of the form `pattern`."""
    return f"{column} rlike '^(?:{pattern})$'"


def all_match(array: str, pattern: str) -> str:
    """Every code of an array is of the form `pattern`; an empty array passes.

    One pattern over the joined codes: functions of lambdas are interpreted row by row and drop a whole step's compilation.
    """
    return f"concat_ws(' ', {array}) rlike '^(?:(?:{pattern})(?: |$))*$'"


def one_of(column: str, codes: tuple[str, ...]) -> str:
    """The value is one of `codes`."""
    return f"{column} in ({', '.join(repr(code) for code in codes)})"


def is_npi(column: str) -> str:
    """Ten digits, the first 1 or 2, and Luhn's check digit is right."""
    return f"{column} rlike '^[12][0-9]{{9}}$' and luhn_check(concat('80840', {column}))"
