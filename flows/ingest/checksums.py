"""Tell real identity numbers from look-alikes by the rules of whoever issues them.

A pattern alone takes every order number for a card. Each rule here is the published one: Luhn
(ISO/IEC 7812-1), mod 97 (ISO 13616), mod 11,10 (ISO 7064), the elfproef of the Netherlands, the key
of the French NIR, and the letters of Spain and Italy. All take the found text with its separators.
"""

import ipaddress
from collections import Counter

_CARDS = (  # prefixes that schemes issue, and the lengths of their numbers
    (("4",), (13, 16, 19)),
    (tuple(str(prefix) for prefix in (*range(51, 56), *range(2221, 2721))), (16,)),
    (("34", "37", "1800", "2131"), (15,)),
    (("30", "36", "38", "39"), tuple(range(14, 20))),
    (("35",), tuple(range(16, 20))),
    (("50", "56", "57", "58", "59", "6"), tuple(range(12, 20))),
)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_ITALIAN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_NEVER_NINO = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})


def digits_of(found: str) -> str:
    """Return only the digits."""
    return "".join(char for char in found if char.isdigit())


def luhn(found: str) -> bool:
    """Return whether the digits pass the check of payment cards."""
    digits = [int(char) for char in digits_of(found)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 12 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def card(found: str) -> bool:
    """Return whether a scheme issues numbers of this beginning and length, and the check digit is right."""
    digits = digits_of(found)
    issued = any(digits.startswith(prefixes) and len(digits) in lengths for prefixes, lengths in _CARDS)
    return issued and luhn(found)


def iban(found: str) -> bool:
    """Return whether the characters pass the check of bank accounts."""
    plain = "".join(found.split()).upper()
    return 15 <= len(plain) <= 34 and int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def us_ssn(found: str) -> bool:
    """Return whether the number lies in the ranges the US administration issues."""
    digits = digits_of(found)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def uk_nino(found: str) -> bool:
    """Return whether the prefix is one the UK allots."""
    return found[:2].upper() not in _NEVER_NINO


def es_dni(found: str) -> bool:
    """Return whether the letter of a Spanish DNI or NIE belongs to its digits."""
    plain = found.replace("-", "").replace(" ", "").upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return plain[-1] == _DNI_LETTERS[int(number) % len(_DNI_LETTERS)]


def de_tax_id(found: str) -> bool:
    """Return whether digits and check digit are those of a German Steuer-ID.

    Of the first ten digits exactly one stands twice or three times.
    """
    digits = digits_of(found)
    repeats = sorted(Counter(digits[:10]).values())[::-1]
    if len(digits) != 11 or repeats[0] not in {2, 3} or repeats[1] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(digits[10])


def fr_nir(found: str) -> bool:
    """Return whether the key of a French NIR belongs to its thirteen characters."""
    plain = "".join(found.split()).upper()
    number = plain[:13].replace("2A", "19", 1).replace("2B", "18", 1) if plain[5:7] in {"2A", "2B"} else plain[:13]
    return number.isdigit() and 97 - int(number) % 97 == int(plain[13:])


def nl_bsn(found: str) -> bool:
    """Return whether a Dutch BSN passes the test by eleven."""
    digits = [int(char) for char in digits_of(found).zfill(9)]
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return any(digits) and sum(weight * digit for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


def it_tax_code(found: str) -> bool:
    """Return whether the last letter of an Italian codice fiscale belongs to the others."""
    places = [int(char) if char.isdigit() else ord(char) - ord("A") for char in found[:15]]
    total = sum(_ITALIAN_ODD[place] for place in places[0::2]) + sum(places[1::2])
    return ord(found[15]) - ord("A") == total % 26


def ipv4(found: str) -> bool:
    """Return whether this is the address of a machine other than this one, and not a version number."""
    parts = [int(part) for part in found.split(".")]
    return max(parts) <= 255 and max(parts) > 9 and parts[0] not in {0, 127, 255}


def ipv6(found: str) -> bool:
    """Return whether this is the address of a machine other than this one."""
    try:
        address = ipaddress.IPv6Address(found)
    except ValueError:
        return False
    return len([part for part in found.split(":") if part]) > 2 and not address.is_loopback


def phone(found: str) -> bool:
    """Return whether there are as many digits as an international number may have (ITU E.164)."""
    return 7 <= len(digits_of(found)) <= 15
